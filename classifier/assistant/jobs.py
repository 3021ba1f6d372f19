"""Jobs of the worker: explanations by language models, and connection tests.

A request can take minutes, so the jobs run in separate threads and block no thread that receives messages.
"""

from collections.abc import Callable
from dataclasses import asdict
from threading import Event, Lock, Thread
from typing import Any

import structlog
from django.db import close_old_connections

from classifier.assistant import chat, llm
from classifier.assistant.allowlist import context_of
from classifier.assistant.builtin import Facts
from classifier.assistant.check import said_of_blocked
from classifier.assistant.explaining import explain
from classifier.assistant.facts import facts_of, image_of
from classifier.assistant.failures import ProviderFailed, empty
from classifier.assistant.look import look_again
from classifier.assistant.statements import markdown_of
from classifier.models import AssistantProvider, Explanation, Scan
from classifier.selectors.explanation import enabled_providers, review_fields
from classifier.selectors.scan import get_scan
from classifier.services.assistant import claim_test, connection_of, finish_test
from classifier.services.conversation import claim_message, fail_answer
from classifier.services.errors import ServiceError
from classifier.services.explanation import (
    ExplanationClaim,
    claim_explanation,
    fail_explanation,
    finish_explanation,
    write_explanation,
)
from classifier.services.leases import ClaimLost
from classifier.services.picture_check import CheckClaim, claim_check, fail_check, finish_check

logger = structlog.get_logger(__name__)

# Requests wait for the network, not for the processor; providers limit parallel requests themselves.
MAX_THREADS = 4
OFF = "This provider was switched off before the request was sent. Nothing was sent."
CLOSED = "The result is no longer open to you. Nothing was sent."
CONTRADICTED = "The answer contradicted the analysis and is not shown."
OFF_MEANWHILE = "This provider was switched off while it was writing. The text is not shown."
CHECK_OFF = "The check was switched off before the requests were sent. Nothing more was sent."
CHECK_FAILED = "The statements could not be checked."
FAILED = "The explanation could not be written. Tell your administrator."

_lock = Lock()
_threads = 0


def start(stopping: Event) -> None:
    """Start another thread for the jobs that wait, if there is room, and return."""
    global _threads
    with _lock:
        if _threads >= MAX_THREADS or stopping.is_set():
            return
        _threads += 1
    Thread(target=_run_in_thread, args=(stopping,), name="assistant", daemon=True).start()


def run_waiting(stopping: Event) -> None:
    """Run every job that waits, until none is left or `stopping` is set."""
    while not stopping.is_set() and any(job() for job in JOBS):
        pass


def _run_in_thread(stopping: Event) -> None:
    global _threads
    try:
        run_waiting(stopping)
    except Exception:
        # The row's lease runs out, and the sweep decides.
        logger.exception("assistant_jobs_failed")
    finally:
        close_old_connections()
        with _lock:
            _threads -= 1


def run_explanation() -> bool:
    """Write one explanation that waits. Return True if there was one."""
    claim = claim_explanation()
    if claim is None:
        return False
    try:
        _explain(claim)
    except ClaimLost:
        logger.info("explanation_claim_lost", explanation=str(claim.row.pk))
    except (ProviderFailed, ServiceError) as error:
        fail_explanation(claim, str(error))
    except Exception as error:
        logger.exception("explanation_failed", explanation=str(claim.row.pk), error=type(error).__name__)
        fail_explanation(claim, FAILED)
    return True


def run_answer() -> bool:
    """Answer one question that waits. Return True if there was one."""
    claim = claim_message()
    if claim is None:
        return False
    try:
        chat.answer(claim)
    except (ProviderFailed, ServiceError) as error:
        fail_answer(claim, str(error))
    except Exception as error:
        logger.exception("answer_failed", message=str(claim.row.pk), error=type(error).__name__)
        fail_answer(claim, FAILED)
    return True


def run_check() -> bool:
    """Check the statements about the picture of one explanation. Return True if one was waiting."""
    claim = claim_check()
    if claim is None:
        return False
    try:
        _check(claim)
    except (ProviderFailed, ServiceError) as error:
        fail_check(claim, str(error))
    except Exception as error:
        logger.exception("picture_check_failed", check=str(claim.row.pk), error=type(error).__name__)
        fail_check(claim, CHECK_FAILED)
    return True


def run_test() -> bool:
    """Test one connection. Return True if one was waiting."""
    provider = claim_test()
    if provider is None:
        return False
    try:
        answer = llm.test_connection(connection_of(provider))
    except (ProviderFailed, ServiceError) as error:
        finish_test(provider, succeeded=False, message=str(error))
    else:
        finish_test(provider, succeeded=True, message=f"The model answered within {answer.seconds:.1f} seconds.")
    return True


JOBS: tuple[Callable[[], bool], ...] = (run_answer, run_explanation, run_check, run_test)


def _explain(claim: ExplanationClaim) -> None:
    row = claim.row
    provider = _provider_of(row)
    scan = _scan_of(row)
    if provider is None or scan is None or row.requested_by is None:
        fail_explanation(claim, OFF if provider is None else CLOSED)
        return
    # The analysis is that of the request, read as the person may read it now.
    analysis = scan.analyses.for_reader(row.requested_by).get(pk=row.analysis_id)
    facts = facts_of(analysis)
    context = _context(row, scan, facts)
    image = image_of(scan) if row.with_image else None

    def write(text: str) -> None:
        if _provider_of(row) is None:
            raise ServiceError(OFF_MEANWHILE)
        write_explanation(claim, text)

    explained = explain(connection_of(provider), facts=facts, context=context, image=image, write=write)
    if not explained.parts:
        message = CONTRADICTED if explained.blocked else empty(provider.name)
        fail_explanation(claim, message, blocked=explained.blocked)
        return
    finish_explanation(
        claim,
        text=explained.text(),
        parts=explained.parts,
        statements=explained.statements,
        provider=provider,
        blocked=explained.blocked,
        input_tokens=explained.answer.input_tokens,
        output_tokens=explained.answer.output_tokens,
        seconds=explained.answer.seconds,
    )


def _check(claim: CheckClaim) -> None:
    row = claim.row.explanation
    provider, scan = _provider_of(row), _scan_of(row)
    if provider is None or not provider.picture_check or scan is None or row.requested_by is None:
        fail_check(claim, CLOSED if scan is None else CHECK_OFF)
        return
    analysis = scan.analyses.for_reader(row.requested_by).get(pk=row.analysis_id)
    statements = [each["text"] for each in claim.row.statements]
    look = look_again(
        connection_of(provider),
        statements=statements,
        context=_context(row, scan, facts_of(analysis)),
        image=image_of(scan),
    )
    if len(look.failures) == 2:
        fail_check(claim, look.failures[0])
        return
    text = markdown_of(row.parts, marks=[each.mark for each in look.judgments], note=said_of_blocked(row.blocked))
    finish_check(
        claim,
        text=text,
        statements=[asdict(each) for each in look.judgments],
        failure=" ".join(look.failures),
        input_tokens=look.input_tokens,
        output_tokens=look.output_tokens,
        seconds=look.seconds,
    )


def _context(row: Explanation, scan: Scan, facts: Facts) -> dict[str, Any]:
    """Return what may be sent about a result: only what the audit says."""
    assert row.requested_by is not None
    context = context_of(facts, review_fields(row.requested_by, scan))
    return {key: value for key, value in context.items() if key in row.fields}


def _provider_of(row: Explanation) -> AssistantProvider | None:
    """Return the provider if it is still enabled, for the image too if that is to be sent."""
    provider = enabled_providers().filter(name=row.provider).first()
    if provider is None or (row.with_image and not provider.image_allowed):
        return None
    return provider


def _scan_of(row: Explanation) -> Scan | None:
    """Return the scan as the person may see it now; None if they may not."""
    if row.requested_by is None:
        return None
    try:
        scan = get_scan(row.requested_by, row.scan_id)
    except Scan.DoesNotExist:
        return None
    return None if scan.closed else scan
