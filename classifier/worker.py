"""The worker's part of the job: claim, read, analyse, store. Runs inside a Celery worker process.

One process holds one network a model, loaded before the first message is taken. Several threads share it: while one is
in the forward pass the others read images and write results.
"""

import time
from collections import defaultdict
from pathlib import Path
from threading import Event, Lock

import structlog
from django.conf import settings
from django.db import DatabaseError

from classifier.inference.analyser import Analyser
from classifier.intake import read_canonical
from classifier.models import Analysis
from classifier.services.analysis import (
    UNREADABLE,
    Claim,
    claim_analyses,
    fail_analysis,
    finish_analysis,
    release_analysis,
    return_unstarted,
)

logger = structlog.get_logger(__name__)

_analysers: dict[str, Analyser] = {}
_loading = Lock()
stopping = Event()


def load_analyser(name: str) -> Analyser:
    """Return the model's analyser, loading and warming it at the first call. Thread-safe."""
    with _loading:
        if name not in _analysers:
            begin = time.monotonic()
            _analysers[name] = Analyser.from_folder(Path(settings.MODELS_DIR) / name, engine=settings.ENGINE)
            version = _analysers[name].card.version
            logger.info("model_loaded", model=name, version=version, seconds=round(time.monotonic() - begin, 2))
        return _analysers[name]


def work_off_queue() -> int:
    """Analyse until nothing is left to claim or the worker is told to stop. Returns how many rows were claimed."""
    taken = 0
    while not stopping.is_set() and Analysis.objects.filter(state__in=Analysis.ACTIVE).exists():
        claims = claim_analyses(limit=settings.BATCH_SIZE)
        if not claims:
            break
        taken += len(claims)
        by_model: dict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            by_model[claim.analysis.model_name].append(claim)
        for name, batch in by_model.items():
            if stopping.is_set():
                return_unstarted(batch)
                continue
            analyse_batch(batch, model_name=name)
    return taken


def analyse_batch(claims: list[Claim], *, model_name: str) -> None:
    """Analyse claimed rows of one model and store what came of each.

    An error in a batch of several is looked for one by one, so that one bad image never takes others with it.
    """
    readable = []
    for claim in claims:
        try:
            readable.append((claim, _read(claim)))
        except (FileNotFoundError, ValueError) as error:
            # Trying again would read the same bytes: this is for a person to mend.
            logger.error("image_unreadable", analysis=str(claim.analysis.pk), error=repr(error))
            code, message = UNREADABLE
            fail_analysis(claim, code=code, message=message)
        except Exception as error:
            release_analysis(claim, error=error)
    if not readable:
        return
    try:
        analyser = load_analyser(model_name)
        results = analyser.analyse([pixels for _, pixels in readable])
        for (claim, _), result in zip(readable, results, strict=True):
            finish_analysis(
                claim,
                decision=result.decision,
                class_maps=result.class_maps,
                model_version=analyser.card.version,
                milliseconds=result.milliseconds,
            )
    except DatabaseError:
        # Nothing can be written now, not even that it failed: the leases run out and the rows are taken again.
        raise
    except Exception as error:
        if len(readable) == 1:
            release_analysis(readable[0][0], error=error)
            return
        logger.warning("batch_split", size=len(readable), error=repr(error))
        for claim, _ in readable:
            analyse_batch([claim], model_name=model_name)


def _read(claim: Claim):  # type: ignore[no-untyped-def]  # uint8 array (H, W)
    with claim.analysis.scan.image.open("rb") as file:
        return read_canonical(file.read())
