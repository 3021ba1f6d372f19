"""Every URL of the resolver, and who may open it. A URL that is not listed here fails the test."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from classifier.acceptance.limits import Limits
from classifier.models import Analysis, AssistantProvider, Batch, BatchFile, Scan, Team, Webhook
from classifier.selectors.scan import get_scan
from classifier.services.commissioning import start_commissioning
from classifier.services.conversation import ask, start_conversation
from classifier.services.explanation import store_explanation
from classifier.services.report import save_draft
from classifier.services.report_archive import request_archive
from classifier.services.report_template import save_template
from classifier.services.token import issue_token
from tests.factories import make_analysis, make_scan
from tests.reports.conftest import signed_report

pytestmark = pytest.mark.django_db

# What anonymous visitors get: pages send them to the sign-in page, the API says 401, open pages answer.
LOGIN, API, OPEN = "login", "api", "open"


@dataclass(frozen=True)
class Rule:
    """Who may open a URL.

    Attributes:
        anonymous: what a visitor who is not signed in meets.
        method: the method that the URL is for.
        per_scan: whether it shows or changes a scan or team: then outsiders get 404 and teammates get in.
        nothing: whether there is nothing for anybody.
        incomplete: whether a request without fields, as these tests send it, is refused with 400.
        per_person: whether it belongs to one person: then teammates get 404, too.
        staff_only: whether only administrators may do it; anybody else gets 403.
        owner_only: whether a teammate, who sees the thing, may not do this to it (403).
    """

    anonymous: str
    method: str = "get"
    per_scan: bool = False
    owner_only: bool = False
    staff_only: bool = False
    incomplete: bool = False
    per_person: bool = False
    nothing: bool = False


RULES: dict[str, Rule] = {}


def rules(kind: Rule, *names: str) -> None:
    RULES.update(dict.fromkeys(names, kind))


rules(
    Rule(LOGIN),
    "web:upload",
    "web:scan_statuses",
    "web:history",
    "web:history_csv",
    "web:statistics",
    "web:batches",
    "web:teams",
    "web:profile",
    "web:attention",
    "web:tokens",
    "web:webhooks",
    "web:about",
    "web:models",
    "web:models_csv",
    "web:models_differences",
    "web:models_latex",
    "web:sample_image",
)
rules(Rule(LOGIN, method="post", staff_only=True), "web:model_default")
# Figures of models are the same for everyone. The images are not installed here.
rules(Rule(LOGIN), "web:model", "web:model_images", "web:models_in_use", "web:disagreements")
rules(Rule(LOGIN, nothing=True), "web:model_image")
rules(Rule(LOGIN), "web:report_list", "web:report_verify", "web:report_templates")
rules(Rule(LOGIN, method="post"), "web:scan_upload", "web:sample_submit", "web:file_names")
rules(Rule(LOGIN), "web:unread")
rules(Rule(LOGIN, method="post"), "web:sealed_reading", "web:notification_choices", "web:notifications_read")
rules(Rule(LOGIN), "web:notifications", "web:notification_count")
# Each person has their own: `tests/services/test_notification.py`.
rules(Rule(LOGIN, method="post", nothing=True), "web:notification_open")
# To their owner only: `tests/web/test_tokens.py`.
rules(Rule(LOGIN, method="post"), "web:token_delete")
rules(
    Rule(LOGIN, per_scan=True),
    "web:batch", "web:scan", "web:scan_status", "web:scan_image", "web:scan_thumbnail", "web:scan_saliency", "web:team",
)  # fmt: skip
rules(Rule(LOGIN, per_scan=True), "web:scan_models")
rules(
    Rule(LOGIN, method="post", per_scan=True),
    "web:scan_analyse_all",
    "web:input_action",
    "web:scan_analyse",
    "web:analysis_cancel",
    "web:batch_retry",
)
# Without its fields the request is refused with 400.
rules(Rule(API, method="post", per_scan=True, incomplete=True), "api:scan-mend")
rules(
    Rule(LOGIN, method="post", per_scan=True, incomplete=True),
    "web:review_create", "web:impression_create", "web:diagnosis_create", "web:report_addendum",
)  # fmt: skip
rules(Rule(LOGIN, method="post", per_scan=True, owner_only=True), "web:scan_edit", "web:scan_delete")
rules(
    Rule(LOGIN, per_scan=True),
    "web:report_compose", "web:scan_report_file", "web:batch_report", "web:batch_report_file",
    "web:report", "web:report_file", "web:patient_report", "web:patient_report_file",
)  # fmt: skip
# Each person who may review the scan has a draft of their own.
rules(Rule(LOGIN, method="post", per_scan=True), "web:report_explanation")
rules(Rule(API, method="delete", per_person=True), "api:report-explanation")
# A draft, and a ZIP file, are their author's alone.
rules(Rule(LOGIN, per_person=True), "web:report_sign", "web:report_archive", "web:report_archive_file")
rules(Rule(LOGIN, per_scan=True, owner_only=True), "web:report_template")
rules(Rule(LOGIN, method="post"), "web:report_archive_request")
rules(Rule(API), "api:scan-list", "api:batch-list", "api:model-list", "api:model-detail", "api:models-in-use")
# No model disagrees with itself.
rules(Rule(API, nothing=True), "api:model-disagreements")
rules(Rule(API), "api:statistics", "api:scan-export")
rules(Rule(API, method="post"), "api:notifications-read")
rules(Rule(API, method="post", nothing=True), "api:notification-read")
rules(Rule(API), "api:notification-list")
rules(Rule(API, nothing=True), "api:unknown")
rules(
    Rule(API, per_scan=True),
    "api:batch-detail",
    "api:scan-detail", "api:scan-image", "api:scan-thumbnail", "api:scan-saliency", "api:scan-analyses",
    "api:scan-report-pdf", "api:scan-report-html", "api:scan-reports", "api:report-detail",
)  # fmt: skip
rules(Rule(API, method="post", per_scan=True), "api:analysis-cancel", "api:scan-analyses-all")
rules(Rule(API, per_scan=True), "api:scan-comparison")
rules(Rule(API, per_scan=True), "api:scan-impressions", "api:scan-diagnoses", "api:analysis-reviews")
rules(Rule(API, per_scan=True), "api:scan-explanations", "api:scan-explanation")
rules(Rule(LOGIN, method="post", per_scan=True), "web:explanation_create")
rules(Rule(LOGIN, per_scan=True), "web:explanation_status")
rules(Rule(LOGIN, method="post", per_scan=True), "web:conversation_create")
# A conversation is its owner's alone.
rules(Rule(LOGIN, per_person=True), "web:conversation", "web:message_status")
rules(
    Rule(LOGIN, method="post", per_person=True),
    "web:conversation_rename", "web:conversation_delete", "web:message_create", "web:message_stop",
)  # fmt: skip
rules(Rule(API, per_scan=True), "api:scan-conversations")
rules(Rule(LOGIN, per_person=True), "web:webhook", "web:webhook_delete")
rules(Rule(API), "api:webhook-list")
rules(Rule(API, method="post", incomplete=True), "api:commissioning-compare")
rules(Rule(API, per_person=True), "api:webhook-detail", "api:webhook-deliveries")
rules(Rule(API, method="post", per_person=True), "api:webhook-ping")
rules(Rule(API, per_person=True), "api:scan-messages", "api:scan-message")
rules(Rule(API, method="post", per_person=True), "api:scan-message-stop")
rules(Rule(API, method="delete", per_person=True), "api:scan-conversation")
rules(Rule(LOGIN, staff_only=True), "web:assistant_providers", "web:assistant_provider")
rules(Rule(LOGIN, method="post", staff_only=True), "web:assistant_provider_test", "web:assistant_provider_delete")
rules(Rule(LOGIN), "api:schema", "api:docs")
rules(Rule(OPEN), "health_live", "health_ready", "favicon")
# To programs on this machine, as tests are. Who else may read it and who may not is in `tests/web/test_metrics.py`.
rules(Rule(OPEN), "metrics")
rules(
    Rule(OPEN),
    "account_login", "account_signup", "account_reset_password", "account_reset_password_done",
    "account_reset_password_from_key", "account_reset_password_from_key_done", "account_inactive",
    "account_confirm_email", "account_email_verification_sent", "account_logout", "account_confirm_login_code",
)  # fmt: skip
rules(Rule(LOGIN, per_scan=True), "web:commissionings", "web:commissioning")
rules(Rule(LOGIN, per_scan=True), "web:acceptance_file", "web:acceptance_json")
rules(Rule(LOGIN), "web:acceptance_compare")
rules(Rule(API), "api:commissioning-list")
rules(Rule(API, per_scan=True), "api:commissioning-detail")
# Owners only: `tests/api/test_commissioning.py`. Without its fields the request is refused with 400.
rules(
    Rule(API, method="post", per_scan=True, incomplete=True),
    "api:commissioning-cases", "api:commissioning-calibration",
)  # fmt: skip
rules(Rule(API, method="post", per_scan=True, owner_only=True), "api:commissioning-close")
# There is none while it is open.
rules(Rule(API, nothing=True), "api:commissioning-acceptance")
rules(Rule(LOGIN), "account_change_password", "account_set_password", "account_reauthenticate")


def resolver_names() -> Iterator[str]:
    def walk(patterns: list, namespace: str) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
                yield from walk(pattern.url_patterns, inner)
            elif isinstance(pattern, URLPattern):
                yield f"{namespace}{pattern.name or pattern.pattern}"

    return walk(get_resolver().url_patterns, "")


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
    archive = request_archive(owner, [scan], title="P-9")
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


def of(**wanted: object) -> list[str]:
    return [n for n, rule in RULES.items() if all(getattr(rule, key) == value for key, value in wanted.items())]


@pytest.mark.parametrize("name", of(anonymous=LOGIN))
def test_pages_send_the_anonymous_to_the_sign_in(name, address, browse):
    response = getattr(browse(), RULES[name].method)(address(name))
    assert response.status_code == 302
    assert response.url.startswith("/accounts/login/")


@pytest.mark.parametrize("name", of(anonymous=API))
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_the_api_tells_the_anonymous_to_authenticate(name, method, address, api):
    assert getattr(api(), method)(address(name)).status_code == 401


@pytest.mark.parametrize("name", of(anonymous=OPEN))
def test_open_pages_answer_the_anonymous(name, address, browse):
    assert browse().get(address(name)).status_code in (200, 302, 503)


@pytest.mark.parametrize("name", of(per_scan=True))
def test_strangers_find_nothing(name, address, browse, api, outsider):
    client = (api if RULES[name].anonymous == API else browse)(outsider)
    assert getattr(client, RULES[name].method)(address(name)).status_code == 404


@pytest.mark.parametrize("name", of(per_scan=True))
def test_administrators_see_no_ones_scans_on_pages(name, address, browse, api, staff):
    client = (api if RULES[name].anonymous == API else browse)(staff)
    assert getattr(client, RULES[name].method)(address(name)).status_code == 404


@pytest.mark.parametrize("name", of(per_scan=True, owner_only=False))
def test_teammates_get_in(name, address, browse, api, teammate):
    client = (api if RULES[name].anonymous == API else browse)(teammate)
    # A cancelled or repeated analysis may conflict; what counts is that it is neither hidden nor forbidden.
    accepted = (400,) if RULES[name].incomplete else (200, 202, 302, 409)
    assert getattr(client, RULES[name].method)(address(name)).status_code in accepted


@pytest.mark.parametrize("name", of(per_person=True))
@pytest.mark.parametrize("person", ["teammate", "outsider", "staff"])
def test_what_belongs_to_one_person_is_nobody_elses(name, person, address, browse, api, request):
    client = (api if RULES[name].anonymous == API else browse)(request.getfixturevalue(person))
    assert getattr(client, RULES[name].method)(address(name)).status_code == 404


@pytest.mark.parametrize("name", of(owner_only=True))
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


@pytest.mark.parametrize("name", of(staff_only=True))
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
