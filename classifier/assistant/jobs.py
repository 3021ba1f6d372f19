"""Jobs of the worker: explanations by language models, and connection tests.

A request can take minutes, so the jobs have threads of their own and hold no thread that receives messages.
"""

from collections.abc import Callable
from threading import Event, Lock, Thread

import structlog
from django.db import close_old_connections

from classifier.assistant import chat, llm
from classifier.assistant.allowlist import context_of
from classifier.assistant.check import check, said_of_blocked
from classifier.assistant.facts import facts_of
from classifier.assistant.failures import ProviderFailed, empty
from classifier.assistant.prompts import EXPLAIN, data_of
from classifier.assistant.references import references_of, render
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
)

logger = structlog.get_logger(__name__)

# Requests wait for the network, not for the processor; providers limit parallel requests themselves.
MAX_THREADS = 4
HEADINGS = {
    "summary": "Summary",
    "picture": "What the picture shows",
    "against": "What speaks against the result",
    "limits": "Limits",
    "next_steps": "Next steps to consider",
}
# Here the text says what the result or the picture is; the other parts may discuss other findings.
ASSERTING = ("summary", "picture")
OFF = "This provider was switched off before the request was sent. Nothing was sent."
CLOSED = "The result is no longer open to you. Nothing was sent."
CONTRADICTED = "The answer contradicted the analysis and is not shown."
FAILED = "The explanation could not be made. Tell your administrator."

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


JOBS: tuple[Callable[[], bool], ...] = (run_answer, run_explanation, run_test)


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
    context = {
        key: value
        for key, value in context_of(facts, review_fields(row.requested_by, scan)).items()
        # Only what the audit says.
        if key in row.fields
    }
    image = _image_of(scan) if row.with_image else None
    prompt = data_of(context, has_image=image is not None)
    answer = llm.explain(connection_of(provider), instructions=EXPLAIN, prompt=prompt, image=image)
    references = references_of(facts)
    parts, blocked = [], []
    for part in llm.PARTS:
        if part == "picture" and image is None:
            # Without the image, statements about it are invented.
            continue
        said = answer.content.get(part) or ()
        kept = []
        for statement in [said] if isinstance(said, str) else said:
            checked = check(statement, facts=facts, references=references, asserts=part in ASSERTING)
            blocked += checked.blocked
            kept += [checked.text] if checked.text else []
        if part == "summary" and not kept:
            fail_explanation(claim, CONTRADICTED if blocked else empty(provider.name), blocked=blocked)
            return
        if kept:
            body = "\n\n".join(kept) if part == "summary" else "\n".join(f"- {' '.join(text.split())}" for text in kept)
            parts.append(f"### {HEADINGS[part]}\n\n{render(body, references)}")
    note = said_of_blocked(blocked)
    finish_explanation(
        claim,
        text="\n\n".join([*parts, note] if note else parts),
        blocked=blocked,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        seconds=answer.seconds,
    )


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


def _image_of(scan: Scan) -> bytes:
    with scan.image.open("rb") as file:
        return bytes(file.read())
