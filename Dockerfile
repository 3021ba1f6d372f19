# BrainScan: one image for web, worker and beat, and one with CUDA for GPU hosts.
#
#   docker build --target web .          web, migrate and beat; needs no TensorFlow at run time, though it is in there:
#   docker build --target worker .       the same layers serve the CPU worker, so a host pulls them once
#   docker build --target gpu-worker .   tensorflow[and-cuda] in place of tensorflow-cpu, at the same version
#
# No secret is needed to build, and none is in any layer. See docker-compose.yml for how the parts are run.

FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/venv/bin:$PATH
# A fixed number, so that the owner of files in volumes is the same after every build.
RUN groupadd --system --gid 10001 brainscan \
    && useradd --system --uid 10001 --gid brainscan --home-dir /app --shell /usr/sbin/nologin brainscan
# WeasyPrint's libraries, and a font for signs that the vendored one lacks. The distribution's own security updates
# replace these versions, so none is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        fonts-dejavu-core libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app


FROM base AS dependencies
COPY requirements.txt ./
RUN python -m venv /opt/venv && pip install --require-hashes --requirement requirements.txt


FROM base AS gpu-dependencies
COPY docker/requirements-gpu.txt ./
RUN python -m venv /opt/venv && pip install --require-hashes --requirement requirements-gpu.txt


# The product itself. It belongs to root: the user it runs as cannot change it.
FROM base AS source
COPY manage.py LICENSE ./
COPY docker/healthcheck.py docker/
COPY brainscan brainscan
COPY classifier classifier
COPY templates templates
COPY static static
COPY samples samples
COPY models models


FROM source AS app
COPY --from=dependencies /opt/venv /opt/venv
ENV DATA_DIR=/data \
    MEDIA_ROOT=/data/media \
    STATIC_ROOT=/app/staticfiles \
    EXPORTS_DIR=/app/exports \
    HOST=0.0.0.0 \
    PORT=8000
# Made with the settings of the embedded default, whose key is made for these commands and thrown away with them. The
# model's graph is made here too, so that a worker that starts finds it; with another MODEL it makes its own in /tmp.
RUN DATA_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && DATA_DIR=/tmp/build python manage.py export_model --engine openvino \
    && rm -rf /tmp/build \
    && install --directory --owner brainscan --group brainscan --mode 700 /data /data/media
USER 10001:10001


FROM app AS web
# pg_dump and pg_restore for `manage.py backup` and `restore`, in the version of the server of docker-compose.yml: an older
# client refuses a newer server, and the distribution's own is older.
USER 0:0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates postgresql-common \
    && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/*
USER 10001:10001
# Else every thread that reads an image keeps a heap of its own (glibc).
ENV MALLOC_ARENA_MAX=2
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=8s --start-period=30s --retries=4 CMD ["python", "docker/healthcheck.py", "web"]
CMD ["gunicorn", "brainscan.wsgi", "-c", "brainscan/gunicorn.py"]


FROM app AS worker
# NumPy's own threads would spin and take the processors from the network.
ENV TF_CPP_MIN_LOG_LEVEL=2 \
    OPENBLAS_NUM_THREADS=1
HEALTHCHECK --interval=60s --timeout=30s --start-period=90s --retries=3 CMD ["python", "docker/healthcheck.py", "worker"]
CMD ["celery", "-A", "brainscan", "worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "INFO"]


FROM source AS gpu-worker
COPY --from=gpu-dependencies /opt/venv /opt/venv
# Memory is taken as it is needed, so that other programs can share the GPU.
ENV DATA_DIR=/data \
    MEDIA_ROOT=/data/media \
    TF_CPP_MIN_LOG_LEVEL=2 \
    TF_FORCE_GPU_ALLOW_GROWTH=true
RUN install --directory --owner brainscan --group brainscan --mode 700 /data /data/media
USER 10001:10001
HEALTHCHECK --interval=60s --timeout=30s --start-period=90s --retries=3 CMD ["python", "docker/healthcheck.py", "worker"]
CMD ["celery", "-A", "brainscan", "worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "INFO"]
