"""Reports as the API reads and writes them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers

from classifier.api.fields import TextField, WholeNumberField
from classifier.models import Report, SignedReport
from classifier.models.report import MAX_TEXT, TEXTS
from classifier.selectors.report import addenda_of, explanation_in


class AddendumSerializer(serializers.Serializer[Any]):
    """An addendum to a signed report."""

    number = serializers.IntegerField(read_only=True, help_text="Counts the addenda from 1.")
    author = serializers.CharField(source="author_name", read_only=True, help_text="Name of the author.")
    text = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    hash = serializers.CharField(read_only=True, help_text="SHA-256 of the addendum and of the hash before it.")


class ReportExplanationSerializer(serializers.Serializer[Any]):
    """The explanation in a report."""

    provider = serializers.CharField(read_only=True, help_text="Name of its provider.")
    model = serializers.CharField(read_only=True, allow_blank=True, help_text="The language model; else empty.")
    ai_generated = serializers.BooleanField(read_only=True, help_text="Whether a language model wrote the original.")
    made_at = serializers.DateTimeField(read_only=True, help_text="When the original was written.")
    picture_check = serializers.CharField(
        read_only=True, allow_blank=True, help_text="What the check of statements about the picture found."
    )
    original = serializers.CharField(read_only=True, help_text="Markdown, as it was chosen.")
    text = serializers.CharField(read_only=True, help_text="Markdown, as it is printed.")
    edited_by = serializers.CharField(read_only=True, allow_blank=True, help_text="Empty if it was not edited.")
    edited_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="Null if it was not edited.")


class ReportSerializer(serializers.Serializer[Any]):
    """A draft of the caller, or a signed report."""

    id = serializers.UUIDField(read_only=True)
    scan = serializers.UUIDField(read_only=True, help_text="Identifier of the scan.")
    state = serializers.ChoiceField(choices=Report.State.choices, read_only=True)
    version = serializers.IntegerField(
        read_only=True, min_value=0, help_text="Counts the saved versions of a draft; 0 when signed."
    )
    author = serializers.CharField(read_only=True, help_text="Name of the author.")
    findings = serializers.CharField(read_only=True, allow_blank=True)
    impression = serializers.CharField(read_only=True, allow_blank=True)
    recommendation = serializers.CharField(read_only=True, allow_blank=True)
    explanation = ReportExplanationSerializer(read_only=True, allow_null=True, help_text="Null without one.")
    number = serializers.CharField(read_only=True, allow_blank=True, help_text="Printed number; empty for a draft.")
    sha256 = serializers.CharField(
        read_only=True, allow_blank=True, help_text="SHA-256 of the signed content; empty for a draft."
    )
    signed_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="Null for a draft.")
    addenda = AddendumSerializer(many=True, read_only=True)


class ReportTextsSerializer(serializers.Serializer[Any]):
    """The texts of a report."""

    findings = TextField(max_length=MAX_TEXT, help_text="What is seen.")
    impression = TextField(max_length=MAX_TEXT, help_text="What it means; needed to sign.")
    recommendation = TextField(max_length=MAX_TEXT, help_text="What to do next.")


class ReportChangeSerializer(ReportTextsSerializer):
    """Texts that replace those of a draft; the others stay."""

    version = WholeNumberField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text="The version that the client read. If the draft has another one, nothing is stored (409).",
    )


def draft_data(report: Report) -> dict[str, Any]:
    """Return what `ReportSerializer` shows of a draft."""
    section = explanation_in(report)
    return {
        "id": report.pk,
        "scan": report.scan_id,
        "state": report.state,
        "version": report.version,
        "author": report.author.display_name,
        **report.texts,
        "explanation": None if section is None else _explanation(section.content()),
        "number": "",
        "sha256": "",
        "signed_at": None,
        "addenda": [],
    }


def signed_data(report: SignedReport) -> dict[str, Any]:
    """Return what `ReportSerializer` shows of a signed report."""
    snapshot = report.snapshot
    texts = snapshot["texts"]
    return {
        "id": report.pk,
        "scan": report.scan_id,
        "state": Report.State.SIGNED,
        "version": 0,
        "author": report.signer_name,
        **{name: texts[name] for name in TEXTS},
        "explanation": _explanation(snapshot.get("explanation")),
        "number": report.number,
        "sha256": report.sha256,
        "signed_at": report.signed_at,
        "addenda": addenda_of(report),
    }


def _explanation(content: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the section with its times parsed."""
    if content is None:
        return None
    times = {
        name: datetime.fromisoformat(content[name]) if content[name] else None for name in ("made_at", "edited_at")
    }
    return {**content, **times}
