"""The API and its OpenAPI schema agree: schemathesis sends valid and invalid requests and checks every response.

Random values cannot name what exists, such as a scan or an installed model. The test puts real ones in their place, so
that valid requests reach the code behind the validation and must succeed.
"""

import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from uuid import UUID

import hypothesis
import pytest
import schemathesis
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from knox.models import AuthToken
from schemathesis.core import NotSet
from schemathesis.transport.serialization import Binary

from classifier.acceptance.limits import AT_PREVALENCE, Limits
from classifier.api.queries import ScanFilters
from classifier.findings import READINGS
from classifier.models import AssistantProvider, Batch, BatchFile, Commissioning, ReportArchive, Scan, lengths
from classifier.selectors.scan import get_scan
from classifier.services.report import save_draft
from classifier.services.report_archive import archive_name
from tests.factories import make_analysis, make_scan, png_bytes

CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 14,
        "generation": {"database": "none", "deterministic": True, "max-examples": 15},
    }
)
RESULTS = (
    {"state": "succeeded"},
    {"state": "succeeded", "finding": "tumor"},
    {"state": "succeeded", "outcome": "uncertain", "finding": ""},
    {"state": "succeeded", "outcome": "not_brain_mri", "finding": "", "probabilities": None, "confidence": None},
    {"state": "failed"},
    {"state": "running"},
    {"state": "queued"},
)
IMAGE = png_bytes(seed=1)


DOCUMENT = json.loads(json.dumps(SchemaGenerator().get_schema(public=True)))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)
SCHEMA.app = get_wsgi_application()


@pytest.fixture(autouse=True)
def _one_connection(db) -> Iterator[None]:
    """Keep the connection, and with it the test's transaction, between requests, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def token(owner) -> str:
    return AuthToken.objects.create(owner)[1]


@pytest.fixture
def scans(owner, team) -> list[Scan]:
    """Scans with a result of every kind."""
    made = [make_scan(owner, team=team, patient_reference="P-1") for _ in RESULTS]
    for scan, result in zip(made, RESULTS, strict=True):
        make_analysis(scan, **result)
    return made


@pytest.fixture
def refer(owner, team, scans) -> Callable[[schemathesis.Case], None]:
    """Return a function that replaces valid but random references of a request by real ones."""
    as_owner = SimpleNamespace(user=owner)
    AssistantProvider.objects.create(
        name="local", kind="compatible", model="m", url="http://127.0.0.1:9/v1", enabled=True, image_allowed=True
    )

    def real_id(case: schemathesis.Case) -> UUID:
        scan = scans[UUID(case.path_parameters["id"]).int % len(scans)]
        if case.method == "DELETE" or case.path.endswith(("/analyses/", "/cancel/", "/mend/")):
            # These requests change what they name.
            problems = [{"code": "turned", "detail": "1"}, {"code": "marked", "detail": "", "cells": [[0, 0]]}]
            scan = make_scan(owner, input_problems=problems if case.path.endswith("/mend/") else [])
            make_analysis(scan, state="queued" if "cancel" in case.path else "succeeded")
        return scan.current_analysis_id if "/v1/analyses/" in case.path else scan.pk

    def draft_of_another_scan() -> UUID:
        return save_draft(get_scan(owner, make_scan(owner).pk), by=owner, texts={}).pk

    def report_file(key: UUID) -> ReportArchive:
        kind = ReportArchive.Kind.values[key.int % len(ReportArchive.Kind)]
        state = ("queued", "succeeded", "failed")[key.int % 3]
        row = ReportArchive.objects.create(
            owner=owner, kind=kind, state=state, title="t", scan_ids=[], time_zone="UTC", total=1,
            finished_at=None if state == "queued" else timezone.now(),
        )  # fmt: skip
        if state == "succeeded":
            default_storage.save(archive_name(row), ContentFile(b"%PDF"))
        return row

    def commissioning() -> Commissioning:
        limits = Limits({"sensitivity": 0.9}).as_dict()
        return Commissioning.objects.create(
            team=team, title="t", model_name="xception", model_version="1", limits=limits, started_by=owner
        )

    def select_scans(body: dict) -> None:
        """Let a valid selection have scans."""
        if isinstance(body.get("scans"), list) and body["scans"] and all(map(is_uuid, body["scans"])):
            body["scans"][0] = str(scans[0].pk)
        if is_uuid(body.get("batch")):
            batch = Batch.objects.create(owner=owner)
            BatchFile.objects.create(batch=batch, number=1, scan=scans[0])
            body["batch"] = str(batch.pk)
        reference = body.get("patient_reference")
        if isinstance(reference, str) and 0 < len(reference) <= lengths.PATIENT_REFERENCE and "\x00" not in reference:
            body["patient_reference"] = "P-1"
        if "filters" in body and ScanFilters(data=body["filters"], context={"request": as_owner}).is_valid():
            # The values were checked; some of them leave no scan.
            body["filters"] = {"patient_reference": "P-1"}

    def refer(case: schemathesis.Case) -> None:
        if is_uuid(case.path_parameters.get("id")):
            case.path_parameters["id"] = str(real_id(case))
            if case.path.startswith("/api/v1/commissionings/"):
                case.path_parameters["id"] = str(commissioning().pk)
            if case.path.startswith("/api/v1/report-files/"):
                case.path_parameters["id"] = str(report_file(UUID(case.path_parameters["id"])).pk)
            if case.path.startswith("/api/v1/reports/"):
                case.path_parameters["id"] = str(draft_of_another_scan())
        body = case.body if isinstance(case.body, dict) else {}
        for values in (case.query, body, body.get("filters")):
            if not isinstance(values, dict):
                continue
            if re.fullmatch("[1-9][0-9]*", str(values.get("team"))):
                values["team"] = team.pk
        if isinstance(case.body, dict):
            model = case.body.get("model")
            if isinstance(model, str) and re.fullmatch(r"[^\x00]{1,64}", model):
                case.body["model"] = "xception"
            provider = case.body.get("provider")
            if isinstance(provider, str) and len(provider) <= lengths.PROVIDER_NAME and "\x00" not in provider:
                # A conversation needs a language model. None of these requests reaches one.
                case.body["provider"] = "local" if case.path.endswith("/conversations/") else "built-in"
            if isinstance(case.body.get("limits"), dict) and "prevalence" in case.body:
                # Limits depend on each other: at least one, and two need a prevalence inside of 0 and 1.
                case.body["limits"].setdefault("sensitivity", 0.9)
                prevalence = case.body["prevalence"]
                if prevalence is None or (type(prevalence) in (int, float) and 0 <= prevalence <= 1):
                    case.body["prevalence"] = 0.1
            elif isinstance(case.body.get("limits"), dict):
                case.body["limits"].setdefault("sensitivity", 0.9)
                for key in AT_PREVALENCE:
                    case.body["limits"].pop(key, None)
            if case.body.get("verdict") == "correct" and case.body.get("finding") in READINGS:
                # No analysis says so: a correction that repeats the analysis is refused.
                case.body["finding"] = "other_disease"
            if is_date(case.body.get("confirmed_on")):
                # Dates in the future are refused.
                case.body["confirmed_on"] = "2026-01-02"
            if case.path == "/api/v1/report-files/":
                select_scans(case.body)
            if isinstance(case.body.get("image"), bytes | Binary):
                case.body["image"] = IMAGE

    return refer


def is_form(body: object) -> bool:
    """Return whether a form can carry these values without changing their type."""
    values = dict(body) if isinstance(body, dict) else {}
    return isinstance(values.pop("team", 1), int) and all(
        isinstance(value, str | bytes | Binary) for value in values.values()
    )


def is_date(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is not None


def is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


@SCHEMA.parametrize()
# The requests of one operation share its rows, as those of a real client do.
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_requests_and_responses_are_as_the_schema_says(case, token, refer):
    if case.media_type == "multipart/form-data" and not isinstance(case.body, dict | NotSet):
        return  # Werkzeug's client cannot encode a form that has no fields.
    if case.media_type == "multipart/form-data" and not is_form(case.body):
        return  # A form carries only text and files: a number or an object arrives as valid text.
    refer(case)
    case.call_and_validate(headers={"Authorization": f"Token {token}"})
