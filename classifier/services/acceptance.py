"""Close a commissioning with its acceptance report, which is signed and never changed."""

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.acceptance.report import build_report
from classifier.acceptance.signature import sign
from classifier.events import Kind, record_events
from classifier.models import AcceptanceReport, Commissioning, Event, User
from classifier.selectors.acceptance import measured_cases, measured_model
from classifier.selectors.commissioning import limits_of, progress_of
from classifier.services.commissioning_cases import CLOSED, require_open, require_open_now
from classifier.services.errors import Conflict
from classifier.services.secrets import derived_key

logger = structlog.get_logger(__name__)

# Separates this use of SECRET_KEY from every other (RFC 5869, section 3.2).
PURPOSE = b"brainscan/acceptance-report-key/1"


def close_commissioning(commissioning: Commissioning, *, by: User) -> AcceptanceReport:
    """Close a commissioning and store its acceptance report. Owners of the team only.

    From then on the team sees the answers of its shadow analyses on the page of the commissioning.

    Raises:
        NotAllowed: If `by` is no owner of the team.
        Conflict: If it is closed already, analyses are still waiting, or a case changed meanwhile.
    """
    require_open_now(commissioning, by=by)
    waiting = progress_of(commissioning).waiting
    if waiting:
        raise Conflict(
            f"{waiting} analys{'is is' if waiting == 1 else 'es are'} waiting or running. Close it after they end.",
            code="unfinished",
        )
    # Seconds with thousands of cases: outside of the transaction, which lets nobody else write on SQLite.
    results, circumstances, state = measured_cases(commissioning)
    now = timezone.now()
    content = build_report(
        results,
        model=measured_model(commissioning),
        limits=limits_of(commissioning),
        circumstances=circumstances,
        started=commissioning.started_at.date(),
        closed=now.date(),
    )
    try:
        with transaction.atomic():
            require_open(commissioning, by=by)
            if measured_cases(commissioning)[2] != state:
                raise Conflict("A case changed while the report was made. Close it again.", code="stale")
            report = AcceptanceReport.objects.create(
                commissioning=commissioning, signed=sign(content, key=signing_key()), closed_by=by, closed_at=now
            )
            payload = {"commissioning": str(commissioning.pk), "verdict": content["verdict"]}
            record_events([Event(kind=Kind.COMMISSIONING_CLOSED, actor=by, payload=payload)])
    except IntegrityError as error:
        raise Conflict(CLOSED, code="closed") from error
    logger.info("commissioning_closed", commissioning=str(commissioning.pk), by=by.pk, verdict=content["verdict"])
    return report


def signing_key() -> Ed25519PrivateKey:
    """Return the key that signs the reports of this installation. It changes with `SECRET_KEY`."""
    return Ed25519PrivateKey.from_private_bytes(derived_key(PURPOSE))


def public_key() -> str:
    """Return the public key of this installation, 64 hexadecimal digits."""
    return signing_key().public_key().public_bytes_raw().hex()
