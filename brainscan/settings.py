"""Settings, read from the environment.

Without any variable the *embedded default* holds: SQLite and a private Valkey broker under `DATA_DIR`, a
secret key made at the first start, plain HTTP on the loopback address. Setting `DATABASE_URL` or `REDIS_URL`
leaves it, and from then on a `SECRET_KEY` is required. Every variable is described in `docs/operators.md`.
"""

import os
from pathlib import Path

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

from brainscan import api_settings, csp_settings
from brainscan.environment import (
    DATABASE_SCHEMES,
    LOG_LEVELS,
    REDIS_SCHEMES,
    broker_socket,
    email_settings,
    embedded_secret_key,
    env,
    flag,
    host_names,
    kombu_url,
    media_storage,
    number,
    one_of,
    origins,
    setting,
    socket_url,
    sqlite_database,
    time_zone,
    token,
    url,
)
from brainscan.schedule import beat_schedule

# Lets classes like `ModelForm[User]` say at run time what the type checker knows.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var"))).resolve()
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(DATA_DIR / "media"))).resolve()

DATABASE_URL = setting("DATABASE_URL", "", url(*DATABASE_SCHEMES))
REDIS_URL = setting("REDIS_URL", "", url(*REDIS_SCHEMES))
EMBEDDED = not (DATABASE_URL or REDIS_URL)

DEBUG = setting("DEBUG", False, flag)
HTTPS = setting("HTTPS", not EMBEDDED, flag)
HOST = env.str("HOST", "127.0.0.1")
PORT = setting("PORT", 8000, number(minimum=1, maximum=65535))
SECRET_KEY = env.str("SECRET_KEY", "")
if not SECRET_KEY:
    if not EMBEDDED:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. DATABASE_URL or REDIS_URL is, so this is not the embedded default, which makes "
            "a key of its own. Set SECRET_KEY to a long random string, the same for every process: "
            "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    SECRET_KEY = embedded_secret_key(DATA_DIR)
ALLOWED_HOSTS = setting("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], host_names)
CSRF_TRUSTED_ORIGINS = setting("CSRF_TRUSTED_ORIGINS", list[str](), origins)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "csp",
    "django_filters",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "knox",
    "rest_framework",
    # The project itself, for `manage.py up`.
    "brainscan",
    "classifier",
]

MIDDLEWARE = [
    "classifier.api.middleware.JsonErrors",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "brainscan.logs.RequestLog",
    "classifier.web.middleware.PrivateResponses",
    "classifier.web.middleware.LocalTimes",
]

ROOT_URLCONF = "brainscan.urls"
WSGI_APPLICATION = "brainscan.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- data -------------------------------------------------------------------------------------------------------
DATABASES = {
    "default": env.db_url("DATABASE_URL") if DATABASE_URL else sqlite_database(DATA_DIR),
}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # Threads of the web and worker processes reuse a connection; a dead one is noticed before it is used.
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    # Time out before the browser does if the server does not answer.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static"))).resolve()
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": media_storage(),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Scans are private to the process's user, regardless of its umask.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
FILE_UPLOAD_HANDLERS = [
    "classifier.web.uploads.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
# Above this an upload is spooled to disk, so many large ones at once do not fill the memory.
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# Text fields only; files are limited by intake. It stops forms that consist of padding.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- the model --------------------------------------------------------------------------------------------------
MODELS_DIR = Path(env.str("MODELS_DIR", str(BASE_DIR / "models"))).resolve()
MODEL = env.str("MODEL", "xception")
ENGINE = env.str("ENGINE", "auto")
# What a worker's loaded models may take together, in MiB. Measured with OpenVINO, the shipped network takes 260 MiB as
# the first and 180 as a further one; the worker as a whole must stay below 1.2 GB.
MODEL_MEMORY_MB = setting("MODEL_MEMORY_MB", 700, number(minimum=1, maximum=1_000_000))
# Folders with the images that models were evaluated on, for the pages that show them; see docs/operators.md.
EVALUATION_DATA = [Path(part).resolve() for part in env.str("EVALUATION_DATA", "").split(os.pathsep) if part]
# Graphs for the CPU engines, generated from the models' weights; they can be generated again at any time.
EXPORTS_DIR = Path(env.str("EXPORTS_DIR", str(DATA_DIR / "exports"))).resolve()
# Rows a worker claims at once. A CPU gains little from large batches; a GPU host sets 64.
BATCH_SIZE = setting("BATCH_SIZE", 4, number(minimum=1, maximum=1024))

# --- the queue --------------------------------------------------------------------------------------------------
BROKER_SOCKET = broker_socket(DATA_DIR)
CELERY_BROKER_URL = kombu_url(REDIS_URL) if REDIS_URL else socket_url(BROKER_SOCKET)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker waits for its broker without limit: if it gave up, queued scans would wait forever.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A broker that accepts but stays silent must not delay an upload: the row is stored, and the sweep notifies again.
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "retry_on_timeout": False,
    # Embedded installations and test runs may share one Redis: each keeps to its own keys.
    "global_keyprefix": env.str("QUEUE_PREFIX", "brainscan:"),
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = "UTC"
# Often enough that a lost message or a dead worker costs seconds, rarely enough to cost nothing.
SWEEP_SECONDS = setting("SWEEP_SECONDS", 10, number(minimum=1, maximum=3600))
# A live worker renews its leases three times in this; a dead one's rows wait this long for another.
LEASE_SECONDS = setting("LEASE_SECONDS", 30, number(minimum=5, maximum=86400))
# No step of a batch takes this long on a usable machine: after it, a worker counts as hung and is terminated.
STUCK_SECONDS = setting("STUCK_SECONDS", 60, number(minimum=5, maximum=86400))
CELERY_BEAT_SCHEDULE = beat_schedule(sweep_seconds=SWEEP_SECONDS)

# Read by gunicorn; checked here, so that a wrong value stops `up` with a sentence.
WEB_CONCURRENCY = setting("WEB_CONCURRENCY", 1, number(minimum=1, maximum=256))

# --- language models --------------------------------------------------------------------------------------------
# A provider that the environment names; it stays off until staff enable it on the page.
ASSISTANT_KIND = setting("ASSISTANT_KIND", "", one_of("", "google", "openai", "anthropic", "compatible"))
ASSISTANT_NAME = env.str("ASSISTANT_NAME", "")
ASSISTANT_MODEL = env.str("ASSISTANT_MODEL", "")
ASSISTANT_URL = env.str("ASSISTANT_URL", "")
ASSISTANT_KEY = env.str("ASSISTANT_KEY", "")

# --- webhooks ---------------------------------------------------------------------------------------------------
# Hosts in the operator's own network that webhooks may reach, also by http. All others need https and a public address.
WEBHOOK_INTERNAL_HOSTS = frozenset(host.strip().lower() for host in env.list("WEBHOOK_INTERNAL_HOSTS", default=[]))

# --- accounts ---------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "classifier.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "web:upload"
ACCOUNT_ADAPTER = "classifier.web.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = setting("EMAIL_VERIFICATION", "none", one_of("none", "optional", "mandatory"))
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
# A workstation on a ward is shared: closing the browser signs out, and so does a working day without use.
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_USERNAME_BLACKLIST = ["admin", "root", "system"]
SIGN_UP = setting("SIGN_UP", True, flag)
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_SAVE_EVERY_REQUEST = False
vars().update(email_settings("consolemail://"))
# A mail server that does not answer must not hold up a worker's thread.
EMAIL_TIMEOUT = 10
# URL of this installation in e-mails that no request causes.
SITE_URL = setting("SITE_URL", "", url("http", "https")).rstrip("/")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "BrainScan <noreply@localhost>")

# --- security ---------------------------------------------------------------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if setting("BEHIND_PROXY", False, flag) else None
SECURE_REFERRER_POLICY = "same-origin"
# The secret in `Authorization: Bearer …` that lets a program read /metrics. Empty: only this machine and staff may.
METRICS_TOKEN = setting("METRICS_TOKEN", "", token)
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "classifier.web.views.errors.csrf_failure"
CONTENT_SECURITY_POLICY = csp_settings.CONTENT_SECURITY_POLICY

# --- the API ----------------------------------------------------------------------------------------------------
REST_FRAMEWORK = api_settings.REST_FRAMEWORK
DRF_STANDARDIZED_ERRORS = api_settings.DRF_STANDARDIZED_ERRORS
REST_KNOX = api_settings.REST_KNOX
# The default, but foreign keys to it need the setting itself.
KNOX_TOKEN_MODEL = "knox.AuthToken"  # noqa: S105 - the name of a model
SPECTACULAR_SETTINGS = api_settings.SPECTACULAR_SETTINGS

# --- language, time, logs ---------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = setting("TIME_ZONE", "UTC", time_zone)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "brainscan.logs.line_formatter"}},
    "filters": {"quiet": {"()": "brainscan.logs.WithoutRoutine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["quiet"]}},
    "root": {"handlers": ["console"], "level": setting("LOG_LEVEL", "INFO", one_of(*LOG_LEVELS))},
    "loggers": {
        "celery": {"level": "WARNING"},
        "celery.worker.consumer.connection": {"level": "ERROR"},
        "django.server": {"level": "WARNING"},
    },
}
DJANGO_STRUCTLOG_CELERY_ENABLED = False
