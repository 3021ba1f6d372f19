"""People with scans in every state, stored beside a running installation.

    manage.py shell -c "from tests.system.browser.population import populate; populate()"

prints one line of JSON: the sessions of the people, and a value for each argument of a URL.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.test import Client
from django.utils import timezone

from classifier.acceptance.limits import Limits
from classifier.findings import Outcome
from classifier.models import (
    Analysis,
    ApiToken,
    AssistantProvider,
    Batch,
    BatchFile,
    Explanation,
    Membership,
    Notification,
    Scan,
    User,
)
from classifier.selectors.report_selection import Selection
from classifier.selectors.scan import get_scan
from classifier.services.acceptance import close_commissioning
from classifier.services.commissioning import start_commissioning
from classifier.services.conversation import start_conversation
from classifier.services.report import add_addendum, save_draft
from classifier.services.report_request import request_archive
from classifier.services.report_template import save_template
from classifier.services.review import record_diagnosis, record_impression, submit_review
from classifier.services.team import add_member, create_team, set_role
from classifier.services.token import issue_token
from classifier.services.webhook import create_webhook, send_ping
from tests.factories import PASSWORD, UserFactory, make_analysis, make_scan, make_shadow_case
from tests.reports.conftest import signed_report

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
LONG = "STUDY-2026/0031:LEFT+RIGHT_AXIAL-CONTRAST.T1.REPEATED-0000000042"
NOTES = "Headache for six weeks, worse in the morning. " * 8
UNCERTAIN = [0.48, 0.42, 0.05, 0.05]


def populate() -> None:
    """Store the people and their scans; print the sessions and the values of the arguments."""
    founder = User.objects.create_user("founder", "founder@hospital.example", PASSWORD)
    owner = UserFactory(username="owner", first_name="Mara", last_name="Lindqvist")
    teammate = UserFactory(username="teammate")
    newcomer = UserFactory(username="newcomer")
    reader = UserFactory(username="reader", sealed_reading_since=timezone.now() - timedelta(days=1))
    team = create_team(owner, name="Neuroradiology")
    for user in (teammate, reader):
        add_member(team, by=owner, identifier=user.username)
    set_role(team, by=owner, user=teammate, role=Membership.Role.OWNER)

    states = _states(owner, team)
    scan = states["meningioma"]
    analysis = scan.current_analysis
    assert analysis is not None
    submit_review(analysis, by=owner, verdict="agree", certainty="high", comment=NOTES)
    submit_review(analysis, by=teammate, verdict="correct", finding="glioma", certainty="low")
    today = timezone.localdate()
    record_diagnosis(scan, by=owner, finding="meningioma", source="histology", confirmed_on=today, comment="WHO 1")
    signed = signed_report(scan, owner)
    add_addendum(signed, by=teammate, text="Follow-up in three months.")
    draft = save_draft(get_scan(owner, states["glioma"].pk), by=owner, texts={"impression": "Glioma likely."})
    template = save_template(None, by=owner, name="MR head", team=team, texts={"findings": "{outcome}"})
    archive = request_archive(owner, Selection("P-0042", [scan.pk, states["failed"].pk]))
    token, _ = issue_token(owner, name="PACS export")
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())

    batch = Batch.objects.create(owner=owner, team=team, patient_reference="P-0042")
    for number, name in enumerate(("meningioma", "failed", "uncertain"), start=1):
        BatchFile.objects.create(batch=batch, number=number, name=f"slice-{number}.png", scan=states[name])
    BatchFile.objects.create(batch=batch, number=4, refusal="The file is a web page, not an image.")

    sealed = _scan(owner, "pituitary-1", team=team, patient_reference="P-0300", finding="pituitary")
    opened = _scan(owner, "glioma-3", team=team, patient_reference="P-0301", finding="glioma")
    record_impression(get_scan(reader, opened.pk), by=reader, finding="meningioma", certainty="medium", comment="Dural")

    provider = AssistantProvider.objects.create(
        name="local", kind="compatible", model="llama3.2", url="http://127.0.0.1:9/v1", enabled=True
    )
    explanation = Explanation.objects.create(
        scan=scan, analysis=analysis, requested_by=owner, provider="local", model="llama3.2", text="### Summary\n\nSo."
    )
    conversation = start_conversation(analysis, by=owner, provider=provider, with_image=False)
    message = conversation.messages.create(
        number=1, question="Why?", state="succeeded", attempts=1, answer="The evidence lies on the left side."
    )

    notification = Notification.objects.create(
        recipient=owner, kind="reviewed", key="event:0", scan_id=scan.pk, actor=teammate, published_at=timezone.now()
    )

    webhook = create_webhook(owner, url="https://ris.example.org/brainscan", events=["analysis.succeeded"])
    send_ping(webhook)

    commissioning = start_commissioning(
        team, by=owner, model="efficientnet-lite", limits=Limits({"sensitivity": 0.9}, least_cases=2), title="Scanner 2"
    )
    for name, answer in {"meningioma": "meningioma", "failed": "glioma", "uncertain": "notumor"}.items():
        make_shadow_case(commissioning, states[name], answer=answer, truth="meningioma")
    close_commissioning(commissioning, by=owner)

    shadow = start_commissioning(
        team, by=owner, model="ensemble", limits=Limits({"false_omission": 0.05}, prevalence=0.2), title="Scanner 3"
    )
    make_shadow_case(shadow, states["meningioma"], answer="glioma", truth="meningioma")

    sessions = {user.username: _session(user) for user in (founder, owner, teammate, newcomer, reader)}
    arguments = {
        "scan_id": scan.pk,
        "analysis_id": analysis.pk,
        "batch_id": batch.pk,
        "team_id": team.pk,
        "token_id": token.pk,
        "report_id": signed.pk,
        "template_id": template.pk,
        "archive_id": archive.pk,
        "provider_id": provider.pk,
        "explanation_id": explanation.pk,
        "conversation_id": conversation.pk,
        "message_id": message.pk,
        "notification_id": notification.pk,
        "commissioning_id": commissioning.pk,
        "webhook_id": webhook.pk,
        "name": "glioma-1",
        "other": "efficientnet-lite",
        "number": 1,
        "kind": "html",
        "pk": scan.pk,
        "key": "unknown",
        "uidb36": "a",
        "rest": "unknown",
    }
    others = {
        "sessions": sessions,
        "arguments": {name: str(value) for name, value in arguments.items()},
        "states": {name: str(stored.pk) for name, stored in states.items()},
        "sealed": str(sealed.pk),
        "opened": str(opened.pk),
        "draft": str(draft.pk),
        "number": signed.number,
        "open_commissioning": str(shadow.pk),
    }
    sys.stdout.write(json.dumps(others) + "\n")


def _states(owner: User, team: object) -> dict[str, Scan]:
    """Store a scan of the owner for each state and outcome of an analysis."""
    later = timezone.now() + timedelta(days=1)
    uncertain = {"finding": "", "outcome": Outcome.UNCERTAIN, "probabilities": UNCERTAIN}
    refused = {"finding": "", "outcome": Outcome.NOT_BRAIN_MRI, "probabilities": None, "confidence": None}
    states = {
        "meningioma": _scan(owner, "meningioma-1", team=team, patient_reference="P-0042", finding="meningioma"),
        "glioma": _scan(owner, "glioma-1", patient_reference=LONG, notes=NOTES, finding="glioma"),
        "notumor": _scan(owner, "notumor-1", finding="notumor"),
        "tumor": _scan(owner, "pituitary-2", patient_reference="P-0107", finding="tumor"),
        "uncertain": _scan(owner, "glioma-2", patient_reference="P-0042", **uncertain),
        "not_brain_mri": _scan(owner, None, patient_reference="P-0042", **refused),
        "failed": _scan(owner, "notumor-2", patient_reference="P-0042", state="failed"),
        "cancelled": _scan(owner, "notumor-3", state="cancelled", finished_at=timezone.now()),
        # Not before tomorrow, and under a lease until then: the worker leaves both alone.
        "queued": _scan(owner, "meningioma-2", state="queued", available_at=later),
        "running": _scan(owner, "meningioma-3", state="running", lease_expires_at=later),
    }
    again = _scan(owner, "glioma-1", patient_reference="P-0042", state="failed")
    make_analysis(again, state="succeeded", finding="glioma")
    marked = _scan(owner, "notumor-1", finding="notumor")
    problem = {"code": "marked", "detail": "", "cells": [[0, 0], [0, 1]]}
    Scan.objects.filter(pk=marked.pk).update(input_problems=[problem])
    return states | {"again": again, "marked": marked}


def _scan(
    owner: User, sample: str | None, *, team: object = None, patient_reference: str = "", notes: str = "", **fields
) -> Scan:
    content = (SAMPLES / f"{sample}.jpg").read_bytes() if sample else None
    scan = make_scan(owner, content=content, team=team, patient_reference=patient_reference, notes=notes)
    make_analysis(scan, **{"state": Analysis.State.SUCCEEDED} | fields)
    return get_scan(owner, scan.pk)


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value
