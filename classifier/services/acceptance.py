"""Close a commissioning with its acceptance report, which is signed and never changed."""

from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.acceptance.report import build_report
from classifier.acceptance.signature import sign
from classifier.events import Kind, record_events
from classifier.models import AcceptanceReport, Commissioning, Event, SiteCalibration, User
from classifier.selectors.acceptance import measured_cases, measured_model
from classifier.selectors.commissioning import Progress, installed_card, limits_of, progress_of
from classifier.services.commissioning import lock_team
from classifier.services.commissioning_cases import CLOSED, require_open, require_open_now
from classifier.services.errors import Conflict
from classifier.services.secrets import derived_key
from classifier.services.team import require_owner

logger = structlog.get_logger(__name__)

# Separates this use of SECRET_KEY from every other (RFC 5869, section 3.2).
PURPOSE = b"brainscan/acceptance-report-key/1"


def close_commissioning(commissioning: Commissioning, *, by: User) -> AcceptanceReport:
    """Close a commissioning and store its acceptance report. Owners of the team only.

    From then on the team sees the answers of its shadow analyses on the page of the commissioning.

    Raises:
        NotAllowed: If `by` is not an owner of the team.
        Conflict: If it is closed already, analyses are still waiting, or a case changed in the meantime.
    """
    require_open_now(commissioning, by=by)
    require_finished(progress_of(commissioning))
    # Seconds with thousands of cases: outside the transaction, which blocks all other writers on SQLite.
    results, circumstances = measured_cases(commissioning)
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
            if measured_cases(commissioning) != (results, circumstances):
                raise Conflict("A case changed while the report was made. Close it again.", code="stale")
            report = AcceptanceReport.objects.create(
                commissioning=commissioning, signed=sign(content, key=signing_key()), closed_by=by, closed_at=now
            )
            _keep_calibration(commissioning, content["site_calibration"])
            payload = {"commissioning": str(commissioning.pk), "verdict": content["verdict"]}
            record_events([Event(kind=Kind.COMMISSIONING_CLOSED, actor=by, payload=payload)])
    except IntegrityError as error:
        raise Conflict(CLOSED, code="closed") from error
    logger.info("commissioning_closed", commissioning=str(commissioning.pk), by=by.pk, verdict=content["verdict"])
    return report


def require_finished(progress: Progress) -> None:
    """Raise `Conflict` while analyses are waiting or running."""
    if waiting := progress.waiting:
        raise Conflict(
            f"{waiting} analys{'is is' if waiting == 1 else 'es are'} waiting or running. Close it after they end.",
            code="unfinished",
        )


def _keep_calibration(commissioning: Commissioning, fit: dict[str, Any] | None) -> None:
    """Store the site calibration of a report, switched off."""
    if fit is not None:
        SiteCalibration.objects.create(
            commissioning=commissioning,
            team=commissioning.team,
            model_name=commissioning.model_name,
            model_version=commissioning.model_version,
            values={name: fit[name] for name in ("calibration", "thresholds", "possible")},
        )


def switch_site_calibration(commissioning: Commissioning, *, by: User, on: bool) -> SiteCalibration:
    """Switch the site calibration of a commissioning on or off, for scans that are analyzed from now on.

    Owners of the team only. Switching it on switches off another one of the same team and model.

    Raises:
        NotAllowed: If `by` is not an owner of the team.
        Conflict: If there is none, or another version of the model is installed.
    """
    require_owner(commissioning.team, by=by)
    with transaction.atomic():
        lock_team(commissioning.team)
        site = SiteCalibration.objects.filter(commissioning=commissioning).first()
        if site is None:
            raise Conflict("This commissioning has no site calibration.", code="no_calibration")
        if on and installed_card(commissioning) is None:
            raise Conflict(
                f"{site.model_name} {site.model_version} is no longer installed. A calibration fits one version.",
                code="model_gone",
            )
        same = SiteCalibration.objects.filter(team=commissioning.team, model_name=site.model_name, active=True)
        for other in same.exclude(pk=site.pk) if on else ():
            _switch(other, by=by, on=False)
        if site.active != on:
            _switch(site, by=by, on=on)
    return site


def _switch(site: SiteCalibration, *, by: User, on: bool) -> None:
    site.active = on
    site.save(update_fields=["active"])
    kind = Kind.SITE_CALIBRATION_ON if on else Kind.SITE_CALIBRATION_OFF
    payload = {"commissioning": str(site.commissioning_id), "site_calibration": str(site.pk), "team": site.team_id}
    payload |= {"model": site.model_name, "model_version": site.model_version, "values": site.values}
    record_events([Event(kind=kind, actor=by, payload=payload)])
    logger.info("site_calibration_switched", site_calibration=str(site.pk), by=by.pk, on=on)


def signing_key() -> Ed25519PrivateKey:
    """Return the key that signs the reports of this installation. It changes with `SECRET_KEY`."""
    return Ed25519PrivateKey.from_private_bytes(derived_key(PURPOSE))


def public_key() -> str:
    """Return the public key of this installation, 64 hexadecimal digits."""
    return signing_key().public_key().public_bytes_raw().hex()
