"""Every URL of the resolver, and who may open it. A URL that is not listed here fails `tests/test_permissions.py`."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

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
    """Give URLs their rule."""
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
rules(Rule(LOGIN, per_scan=True, owner_only=True), "web:report_template", "web:input_crop")
rules(Rule(LOGIN, method="post"), "web:report_archive_request")
rules(Rule(API, per_person=True), "api:report-file", "api:report-file-content")
rules(Rule(API), "api:scan-list", "api:batch-list", "api:model-list", "api:model-detail", "api:models-in-use")
# No model disagrees with itself.
rules(Rule(API, nothing=True), "api:model-disagreements")
rules(Rule(API), "api:statistics", "api:scan-export", "api:report-file-list")
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
# To programs on this machine, as tests are. `tests/ops/test_metrics_access.py` has who else may read it.
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


def urls_with(**wanted: object) -> list[str]:
    """Return the names of the URLs whose rule has these values."""
    return [n for n, rule in RULES.items() if all(getattr(rule, key) == value for key, value in wanted.items())]


def resolver_names() -> Iterator[str]:
    """Yield the name of every URL of the resolver."""

    def walk(patterns: list, namespace: str) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
                yield from walk(pattern.url_patterns, inner)
            elif isinstance(pattern, URLPattern):
                yield f"{namespace}{pattern.name or pattern.pattern}"

    return walk(get_resolver().url_patterns, "")
