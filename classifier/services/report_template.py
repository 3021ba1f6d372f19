"""Templates of reports: texts with fields, and how they are filled."""

import re
from collections.abc import Mapping

from django.db import IntegrityError, transaction

from classifier.models import Membership, ReportTemplate, Team, User, lengths
from classifier.models.report import MAX_TEXT, TEXTS
from classifier.selectors.report import can_change_template
from classifier.selectors.report_facts import Facts
from classifier.services.errors import Conflict, Invalid, NotAllowed

FIELDS: dict[str, str] = {
    "patient_reference": "the patient reference of the scan",
    "scan": "the first eight characters of the scan's identifier",
    "outcome": "the result in words",
    "probability": "the probability of a tumor of any kind",
    "model": "the model and its version",
    "date": "the day of the upload",
    "author": "the name of the person who writes the report",
}
"""Every field of a template, with what it stands for."""

TEXT_LABELS: dict[str, str] = {name: name.capitalize() for name in TEXTS}
CHANGE_REFUSED = "Only owners of the team can change its templates."

_FIELD = re.compile(r"\{([^{}]*)\}")


def save_template(
    template: ReportTemplate | None, *, by: User, name: str, team: Team | None, texts: Mapping[str, str]
) -> ReportTemplate:
    """Create a template, or change one.

    Args:
        template: the one to change; None for a new one.
        by: the person who saves it.
        name: its name, unique among the templates of the same person or team.
        team: the team that may use it; None for a personal one. Ignored for a template that exists.
        texts: a text for each of `TEXTS`.

    Raises:
        Invalid: if the name is missing, a text is too long, or a field is unknown.
        NotAllowed: if the person cannot change the template or is not an owner of the team.
        Conflict: if another template has the name.
    """
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > lengths.GIVEN_NAME:
        raise Invalid(f"Enter a name of at most {lengths.GIVEN_NAME} characters.", code="invalid_name")
    values = checked_texts(texts)
    for key, text in values.items():
        _require_known_fields(TEXT_LABELS[key], text)
    if template is None:
        if team is not None and not _owns(by, team):
            raise NotAllowed("Only owners of the team can add templates to it.")
        template = ReportTemplate(owner=None if team else by, team=team)
    elif not can_change_template(by, template):
        raise NotAllowed(CHANGE_REFUSED)
    template.name = name
    for key, text in values.items():
        setattr(template, key, text)
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError as error:
        raise Conflict(f"A template named “{name}” exists already. Choose another name.", code="name_taken") from error
    return template


def delete_template(template: ReportTemplate, *, by: User) -> None:
    """Delete a template. Reports that began with it keep their texts. Raise `NotAllowed` for a stranger's."""
    if not can_change_template(by, template):
        raise NotAllowed(CHANGE_REFUSED)
    template.delete()


def filled_texts(template: ReportTemplate, *, facts: Facts, author: User) -> dict[str, str]:
    """Return the texts of a template with its fields filled from the facts of a scan."""
    values = _values(facts, author)
    return {name: _FIELD.sub(lambda match: values[match[1]], text) for name, text in template.texts.items()}


def checked_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """Return a clean text for each of `TEXTS`. Raise `Invalid` for one that is too long."""
    cleaned = {name: texts.get(name, "").replace("\x00", "").replace("\r\n", "\n").strip() for name in TEXTS}
    for name, text in cleaned.items():
        if len(text) > MAX_TEXT:
            raise Invalid(
                f"{TEXT_LABELS[name]} has at most {MAX_TEXT} characters; this text has {len(text)}.",
                code="text_too_long",
            )
    return cleaned


def _require_known_fields(label: str, text: str) -> None:
    for name in _FIELD.findall(text):
        if name not in FIELDS:
            known = ", ".join(f"{{{field}}}" for field in FIELDS)
            raise Invalid(
                f"{label} contains the unknown field {{{name[:40]}}}. The fields are {known}.", code="unknown_field"
            )
    if set("{}") & set(_FIELD.sub("", text)):
        raise Invalid(f"{label} contains an unmatched brace. A field is written as {{outcome}}.", code="unknown_field")


def _values(facts: Facts, author: User) -> dict[str, str]:
    analysis, model = facts["analysis"], facts["model"]
    tumor = analysis["tumor"] if analysis else None
    return {
        "patient_reference": facts["scan"]["patient_reference"] or "no patient reference",
        "scan": facts["scan"]["short_id"],
        "outcome": analysis["sentence"] if analysis else "Not analyzed",
        "probability": tumor["text"] if tumor else "no probability",
        "model": f"{model['name']} {model['version']}".strip() if model else "no model",
        "date": facts["scan"]["uploaded_at"][:10],
        "author": author.display_name,
    }


def _owns(user: User, team: Team) -> bool:
    return user.memberships.filter(team=team, role=Membership.Role.OWNER).exists()
