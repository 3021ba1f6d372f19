"""Export graphs for CPU engines, once per model, and cache them by the digest of the weights.

The weights are authoritative: a graph is exported again if it is missing, damaged or made from other weights. The
conversion runs in a separate process (`convert.py`), because it needs TensorFlow and Keras, which the process that runs
the graph never loads.
"""

import contextlib
import fcntl
import hashlib
import importlib
import importlib.metadata
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from classifier.inference.registry import ModelCard, ModelError

log = logging.getLogger(__name__)

FORMAT = 1
"""Format version of exported graphs. Increase it when the export changes, so that older graphs are replaced."""
DIGESTS = "digests.json"
PARTIAL = ".partial-"
SECONDS = 600
"""A conversion takes about ten seconds; one that takes sixty times as long will never finish."""
CONVERTER = "classifier.inference.engines.convert"
ENGINES = "classifier.inference.engines"
"""The package with the modules of the engines that the product serves."""
ROOT = Path(__file__).resolve().parents[3]


def export_path(card: ModelCard, *, engine: str, exports: Path, package: str = ENGINES) -> Path:
    """Return the folder of a model's graph for an engine. It depends on the weights and the engine's version."""
    distribution = importlib.import_module(f"{package}.{engine}").DISTRIBUTION
    version = importlib.metadata.version(distribution)
    parts = (card.weights.sha256, card.network, card.preprocessing, card.labels, distribution, version, FORMAT)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return exports / card.name / f"{engine}-{digest[:16]}"


def is_whole(folder: Path) -> bool:
    """Return True if the files of an exported folder are complete and unchanged."""
    try:
        digests: dict[str, str] = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
        return bool(digests) and all(_digest(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, AttributeError):
        return False


def prepare(
    card: ModelCard,
    *,
    engine: str,
    exports: Path | None = None,
    announce: Callable[[], None] | None = None,
    package: str = ENGINES,
) -> Path:
    """Return the folder with a model's graph for an engine; export it if it is missing or damaged.

    If several processes call this at once, one converts and the others wait. A killed process leaves nothing that could
    be mistaken for a graph.

    Args:
        card: A verified card.
        engine: An engine that runs exported graphs.
        exports: The folder of exported graphs; a private temporary folder if None or not writable.
        announce: Called before a conversion starts.
        package: The package that has the engine's module.

    Returns:
        A verified folder.

    Raises:
        ModelError: If the export fails.
    """
    if exports is not None and is_whole(path := export_path(card, engine=engine, exports=exports, package=package)):
        return path
    path = export_path(card, engine=engine, exports=_writable(exports, name=card.name), package=package)
    try:
        with _only_one(path.parent):
            if not is_whole(path):
                if announce is not None:
                    announce()
                _make(card, engine=engine, path=path, package=package)
    except OSError as error:
        raise ModelError(
            f"The {engine} graph of {card.name} cannot be stored in {path.parent}: {error.strerror or error}. "
            "Make room there, or set EXPORTS_DIR."
        ) from error
    return path


def _make(card: ModelCard, *, engine: str, path: Path, package: str) -> None:
    for leftover in path.parent.glob(f"{PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = path.parent / f"{PARTIAL}{os.getpid()}"
    partial.mkdir()
    try:
        _convert_elsewhere(card, engine=engine, target=partial, package=package)
        digests = {file.name: _digest(file) for file in sorted(partial.iterdir())}
        (partial / DIGESTS).write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")
        for older in path.parent.glob(f"{engine}-*"):
            shutil.rmtree(older, ignore_errors=True)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _convert_elsewhere(card: ModelCard, *, engine: str, target: Path, package: str) -> None:
    log.info("Converting %s for %s.", card.name, engine)
    command = [
        sys.executable,
        "-m",
        CONVERTER,
        str(card.folder.resolve()),
        f"{package}.{engine}",
        str(target.resolve()),
    ]
    environment = os.environ | {
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"Converting {card.name} for {engine} took longer than {SECONDS} s and was given up."
        ) from None
    if done.returncode:
        log.error("Converting %s for %s failed:\n%s", card.name, engine, done.stderr)
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ModelError(
            f"{card.name} could not be converted for {engine}. Choose another ENGINE, for example keras. "
            f"Received: {last}"
        )


def _writable(exports: Path | None, *, name: str) -> Path:
    """Return the folder of the model's graphs, or a temporary one if it is not writable."""
    if exports is not None:
        with contextlib.suppress(OSError):
            (exports / name).mkdir(parents=True, exist_ok=True)
            if os.access(exports / name, os.W_OK | os.X_OK):
                return exports
        log.warning("Exported graphs cannot be stored in %s; a temporary folder is used. Set EXPORTS_DIR.", exports)
    temporary = Path(tempfile.gettempdir()) / f"brainscan-exports-{os.getuid()}"
    temporary.mkdir(mode=0o700, exist_ok=True)
    facts = temporary.lstat()
    if temporary.is_symlink() or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise ModelError(f"{temporary} belongs to someone else. Remove it, or set EXPORTS_DIR.")
    (temporary / name).mkdir(exist_ok=True)
    return temporary


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that only one process writes to it. The kernel releases it with the process."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
