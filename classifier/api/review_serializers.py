"""The API's representations of impressions, reviews, and diagnoses."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from classifier.api.fields import IsoDateField, TextField
from classifier.models import Certainty, Diagnosis, Impression, Review
from classifier.models.review import MAX_COMMENT, READING_CHOICES


def reading(**kwargs: Any) -> serializers.ChoiceField:
    """Return a field for what a person can read in a scan."""
    return serializers.ChoiceField(choices=READING_CHOICES, **kwargs)


class CommentField(TextField):
    """An optional comment. Unlike its base in JSON, a number is not text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default="", max_length=MAX_COMMENT, help_text="Free text.", **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """A reader's verdict on an analysis."""

    scan = serializers.UUIDField(source="scan_id", read_only=True, help_text="The scan.")
    analysis = serializers.UUIDField(source="analysis_id", read_only=True, help_text="The analysis.")
    reviewer = serializers.CharField(source="reviewer.username", read_only=True, help_text="User name of the reader.")
    finding = reading(
        allow_blank=True,
        read_only=True,
        help_text="The reader's finding. Empty for an agreement with an analysis that reports no finding.",
    )

    class Meta:
        model = Review
        fields = (
            "id",
            "scan",
            "analysis",
            "reviewer",
            "number",
            "verdict",
            "finding",
            "certainty",
            "comment",
            "created_at",
        )
        read_only_fields = fields


class AgreementSerializer(serializers.Serializer[Any]):
    """A review that agrees with the analysis."""

    verdict = serializers.ChoiceField(choices=[Review.Verdict.AGREE.value])
    finding = reading(required=False, allow_blank=True, help_text="Ignored: the finding is that of the analysis.")
    certainty = serializers.ChoiceField(choices=Certainty.choices)
    comment = CommentField()


class CorrectionSerializer(serializers.Serializer[Any]):
    """A review that corrects the analysis."""

    verdict = serializers.ChoiceField(choices=[Review.Verdict.CORRECT.value])
    finding = reading(help_text="What the scan shows instead; not the finding of the analysis.")
    certainty = serializers.ChoiceField(choices=Certainty.choices)
    comment = CommentField()


NEW_REVIEW = PolymorphicProxySerializer(
    component_name="NewReview",
    serializers={Review.Verdict.AGREE.value: AgreementSerializer, Review.Verdict.CORRECT.value: CorrectionSerializer},
    resource_type_field_name="verdict",
)
"""The body of a new review, for the schema."""


def new_review(data: Any) -> serializers.Serializer[Any]:
    """Return the serializer for the body of a new review. Without a known verdict its errors say so."""
    verdict = data.get("verdict") if isinstance(data, dict) else None
    kind = CorrectionSerializer if verdict == Review.Verdict.CORRECT else AgreementSerializer
    return kind(data=data)


class ImpressionSerializer(serializers.ModelSerializer[Impression]):
    """A reader's impression of a scan, recorded before the result was opened."""

    scan = serializers.UUIDField(source="scan_id", read_only=True, help_text="The scan.")
    reader = serializers.CharField(source="reader.username", read_only=True, help_text="User name of the reader.")
    finding = reading(read_only=True)

    class Meta:
        model = Impression
        fields = (
            "id",
            "scan",
            "reader",
            "number",
            "finding",
            "certainty",
            "comment",
            "created_at",
            "previous_hash",
            "hash",
        )
        read_only_fields = fields
        extra_kwargs = {  # noqa: RUF012 - as Django REST framework documents it
            "hash": {"help_text": "SHA-256 of the impression and of `previous_hash`, in hexadecimal digits."},
            "previous_hash": {"help_text": "Hash of the reader's impression before; empty for the first."},
        }


class NewImpressionSerializer(serializers.Serializer[Any]):
    """The body of a new impression."""

    finding = reading()
    certainty = serializers.ChoiceField(choices=Certainty.choices)
    comment = CommentField()


class DiagnosisSerializer(serializers.ModelSerializer[Diagnosis]):
    """A confirmed diagnosis of a scan."""

    scan = serializers.UUIDField(source="scan_id", read_only=True, help_text="The scan.")
    recorded_by = serializers.CharField(
        source="recorded_by.username", read_only=True, help_text="User name of the person who recorded it."
    )
    finding = reading(read_only=True)

    class Meta:
        model = Diagnosis
        fields = ("id", "scan", "recorded_by", "finding", "source", "confirmed_on", "comment", "created_at")
        read_only_fields = fields


class NewDiagnosisSerializer(serializers.Serializer[Any]):
    """The body of a new diagnosis."""

    finding = reading()
    # The base class has an attribute of that name.
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=Diagnosis.Source.choices, help_text="Source of the confirmation."
    )
    confirmed_on = IsoDateField(help_text="Date of the histology or of the follow-up imaging, not in the future.")
    comment = CommentField()
