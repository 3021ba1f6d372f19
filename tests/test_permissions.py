"""The rules of `tests/permission_rules.py` hold for the owner, a teammate, an outsider, and visitors."""

import re
from collections.abc import Callable

import pytest
from django.urls import get_resolver

from classifier.acceptance.limits import Limits
from classifier.models import Analysis, AssistantProvider, Batch, BatchFile, Scan, Team, Webhook
from classifier.selectors.report_selection import Selection
from classifier.selectors.scan import get_scan
from classifier.services.commissioning import start_commissioning
from classifier.services.conversation import ask, start_conversation
from classifier.services.explanation import store_explanation
from classifier.services.report import save_draft
from classifier.services.report_request import request_archive
from classifier.services.report_template import save_template
from classifier.services.token import issue_token
from tests.factories import make_analysis, make_scan
from tests.permission_rules import API, LOGIN, OPEN, RULES, resolver_names, urls_with
from tests.reports.conftest import signed_report

pytestmark = pytest.mark.django_db


def test_every_url_is_listed():
    names = {name for name in resolver_names() if not name.startswith("admin:")}
    assert names - set(RULES) == set()
    assert set(RULES) - names == set()


@pytest.fixture
def address(owner, team) -> Callable[[str], str]:
    """Return a function that fills a URL's arguments with things of the owner's team."""
    scan: Scan = make_scan(owner, team=team, patient_reference="P-9")
    analysis: Analysis = make_analysis(scan, state="succeeded")
    signed = signed_report(scan, owner)
    draft = save_draft(get_scan(owner, make_scan(owner, team=team).pk), by=owner, texts={})
    archive = request_archive(owner, Selection("P-9", [scan.pk]))
    template = save_template(None, by=owner, name="MR head", team=team, texts={})
    batch = Batch.objects.create(owner=owner, team=team)
    BatchFile.objects.create(batch=batch, number=1, scan=scan)
    limits = Limits({"sensitivity": 0.9})
    commissioning = start_commissioning(team, by=owner, model="xception", limits=limits)

    def fill(name: str) -> str:
        from django.urls import reverse

        values = {
            "scan_id": scan.pk,
            "pk": scan.pk,
            "analysis_id": analysis.pk,
            "team_id": team.pk,
            "batch_id": batch.pk,
            "commissioning_id": commissioning.pk,
        }
        values["token_id"] = issue_token(owner, name="PACS")[0].pk
        values |= {"notification_id": 0, "name": "glioma-1", "uidb36": "a", "key": "b", "rest": "nothing/here"}
        values |= {"batch_id": batch.pk, "archive_id": archive.pk, "template_id": template.pk, "kind": "html"}
        if "model" in name:
            values |= {"name": "xception", "other": "xception", "number": 0}
        explanation = store_explanation(analysis, by=owner, provider="built-in", text="It is.")
        provider, _ = AssistantProvider.objects.get_or_create(
            name="local", kind="compatible", model="m", url="http://h/v1", enabled=True
        )
        conversation = start_conversation(analysis, by=owner, provider=provider, with_image=False)
        message = ask(conversation, question="Why?", provider=provider, fields=[])
        values |= {"conversation_id": conversation.pk, "message_id": message.pk}
        webhook, _ = Webhook.objects.get_or_create(owner=owner, url="https://ris.example.org/", events=["scan.created"])
        values["webhook_id"] = webhook.pk
        values |= {"explanation_id": explanation.pk, "provider_id": provider.pk}
        values["report_id"] = draft.pk if name == "web:report_sign" else signed.pk
        if name == "api:report-detail":
            values["pk"] = signed.pk
        if name.startswith("api:report-file"):
            values["pk"] = archive.pk
        if name == "api:report-explanation":
            values["pk"] = draft.pk
        if name in ("api:analysis-cancel", "api:analysis-reviews"):
            values["pk"] = analysis.pk
        if name.startswith("api:commissioning"):
            values["pk"] = commissioning.pk
        if name == "api:batch-detail":
            values["pk"] = batch.pk
        resolver = get_resolver()
        for part in name.split(":")[:-1]:
            resolver = resolver.namespace_dict[part][1]
        wanted = resolver.reverse_dict.getlist(name.split(":")[-1])[0][0][0][1]
        query = "?patient_reference=P-9" if "patient" in name else ""
        query = "?protocol=patient&label=glioma&called=glioma" if name == "web:model_images" else query
        return reverse(name, kwargs={key: values[key] for key in wanted}) + query

    return fill


@pytest.mark.parametrize("name", urls_with(anonymous=LOGIN))
def test_pages_send_the_anonymous_to_the_sign_in(name, address, browse):
    response = getattr(browse(), RULES[name].method)(address(name))
    assert response.status_code == 302
    assert response.url.startswith("/accounts/login/")


@pytest.mark.parametrize("name", urls_with(anonymous=API))
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_the_api_tells_the_anonymous_to_authenticate(name, method, address, api):
    assert getattr(api(), method)(address(name)).status_code == 401


@pytest.mark.parametrize("name", urls_with(anonymous=OPEN))
def test_open_pages_answer_the_anonymous(name, address, browse):
    assert browse().get(address(name)).status_code in (200, 302, 503)


@pytest.mark.parametrize("name", urls_with(per_scan=True))
def test_outsiders_get_404(name, address, browse, api, outsider):
    client = (api if RULES[name].anonymous == API else browse)(outsider)
    assert getattr(client, RULES[name].method)(address(name)).status_code == 404


@pytest.mark.parametrize("name", urls_with(per_scan=True))
def test_administrators_see_no_ones_scans_on_pages(name, address, browse, api, staff):
    client = (api if RULES[name].anonymous == API else browse)(staff)
    assert getattr(client, RULES[name].method)(address(name)).status_code == 404


@pytest.mark.parametrize("name", urls_with(per_scan=True, owner_only=False))
def test_teammates_get_in(name, address, browse, api, teammate):
    client = (api if RULES[name].anonymous == API else browse)(teammate)
    # A cancelled or repeated analysis may conflict; what counts is that it is neither hidden nor forbidden.
    accepted = (400,) if RULES[name].incomplete else (200, 202, 302, 409)
    assert getattr(client, RULES[name].method)(address(name)).status_code in accepted


@pytest.mark.parametrize("name", urls_with(per_person=True))
@pytest.mark.parametrize("person", ["teammate", "outsider", "staff"])
def test_personal_things_do_not_exist_for_others(name, person, address, browse, api, request):
    client = (api if RULES[name].anonymous == API else browse)(request.getfixturevalue(person))
    assert getattr(client, RULES[name].method)(address(name)).status_code == 404


@pytest.mark.parametrize("name", urls_with(owner_only=True))
def test_teammates_see_but_do_not_change(name, address, browse, api, teammate, owner):
    client = (api if RULES[name].anonymous == API else browse)(teammate)
    assert getattr(client, RULES[name].method)(address(name)).status_code == 403
    assert Scan.objects.filter(owner=owner).exists()


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, rule in RULES.items()
        if rule.anonymous != OPEN and not (rule.owner_only or rule.staff_only or rule.nothing)
    ],
)
def test_the_owner_gets_in(name, address, browse, api, owner):
    client = (api if RULES[name].anonymous == API else browse)(owner)
    assert getattr(client, RULES[name].method)(address(name)).status_code in (200, 202, 204, 302, 400, 409)


@pytest.mark.parametrize("name", urls_with(staff_only=True))
def test_what_administrators_do_is_forbidden_to_others(name, address, browse, owner, staff):
    assert getattr(browse(owner), RULES[name].method)(address(name)).status_code == 403
    assert getattr(browse(staff), RULES[name].method)(address(name)).status_code in (200, 302)


def test_teammates_may_not_delete_over_the_api(address, api, teammate, team):
    assert api(teammate).delete(address("api:scan-detail")).status_code == 403
    assert Team.objects.filter(pk=team.pk).exists()


def test_admin_pages_are_for_staff_only(browse, owner, staff):
    names = [n for n in resolver_names() if re.fullmatch(r"admin:\w+_changelist", n)]
    assert names
    from django.urls import reverse

    for name in names:
        assert browse(owner).get(reverse(name)).status_code == 302
        assert browse(staff).get(reverse(name)).status_code == 200
