"""The API's representations of analyses. The OpenAPI schema is generated from them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from classifier.agreement import Agreement
from classifier.api.fields import TextField
from classifier.api.links import absolute
from classifier.findings import ANSWERS, FINDING_LABELS, FINDINGS, Outcome
from classifier.links import url_of
from classifier.models import Analysis, lengths
from classifier.queue.order import queue_position
from classifier.selectors.side_by_side import SideBySide
from classifier.wording import sentence


def probability(**kwargs: Any) -> serializers.FloatField:
    """Return a field for a probability between 0 and 1."""
    return serializers.FloatField(min_value=0, max_value=1, read_only=True, **kwargs)


PROBABILITIES = inline_serializer(
    "Probabilities", {name: probability() for name in FINDINGS}, allow_null=True, read_only=True
)
FAILURE = inline_serializer(
    "Failure",
    {
        "code": serializers.CharField(help_text="A short, stable word for programs."),
        "message": serializers.CharField(help_text="A sentence that can be shown to people."),
    },
    allow_null=True,
    read_only=True,
)
URL = serializers.URLField()
URL_OR_NULL = serializers.URLField(allow_null=True)


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    """One run of one model version on one scan."""

    outcome = serializers.ChoiceField(
        choices=[outcome.value for outcome in Outcome],
        allow_blank=True,
        read_only=True,
        help_text="Empty until the analysis has succeeded, and while the result is sealed for the caller or withheld.",
    )
    finding = serializers.ChoiceField(
        choices=[(name, FINDING_LABELS[name]) for name in ANSWERS],
        allow_blank=True,
        read_only=True,
        help_text="Empty unless the outcome is `classified`. `tumor` is a tumor whose kind is unknown.",
    )
    sentence = serializers.SerializerMethodField(help_text="The state or the result in the words of the pages.")
    model = serializers.CharField(source="model_name", read_only=True, help_text="The name of the model.")
    probabilities = serializers.SerializerMethodField(
        help_text="Calibrated probability of each finding; they add up to 1. "
        "Null unless the outcome is `classified` or `uncertain`."
    )
    tumor_probability = probability(
        allow_null=True,
        help_text="Calibrated probability of a tumor of any kind: 1 minus the probability of `notumor`. "
        "Null where `probabilities` is null.",
    )
    possible_findings = serializers.ListField(
        source="remaining_findings",
        child=serializers.ChoiceField(choices=FINDINGS),
        read_only=True,
        help_text="The findings that remain possible, most probable first. None of the others is more probable.",
    )
    confidence = probability(
        allow_null=True,
        help_text="Probability of the reported finding; with `tumor`, of a tumor of any kind.",
    )
    site_calibration = serializers.UUIDField(
        source="site_calibration_id",
        read_only=True,
        allow_null=True,
        help_text="The site calibration that the answer was given with; null for the calibration of the model's card.",
    )
    failure = serializers.SerializerMethodField(help_text="Null unless the analysis has failed.")
    queue_position = serializers.SerializerMethodField(
        help_text="Position in the queue, starting at 1; 0 when the analysis is not queued."
    )
    saliency = serializers.SerializerMethodField(
        help_text="URL of the saliency map, a PNG with transparency; null where there is none."
    )

    class Meta:
        model = Analysis
        fields = (
            "id",
            "state",
            "outcome",
            "finding",
            "sentence",
            "possible_findings",
            "probabilities",
            "tumor_probability",
            "confidence",
            "ood_score",
            "model",
            "model_version",
            "site_calibration",
            "milliseconds",
            "attempts",
            "failure",
            "queue_position",
            "queued_at",
            "started_at",
            "finished_at",
            "saliency",
        )
        read_only_fields = fields
        extra_kwargs = {  # noqa: RUF012 - as Django REST framework documents it
            "ood_score": {"help_text": "Distance from the training images; large values are out of distribution."},
            "model_version": {"help_text": "The version that ran; empty until the analysis has succeeded."},
            "milliseconds": {"help_text": "Time that the model took for this image."},
            "attempts": {"help_text": "How often a worker has started the analysis."},
        }

    def get_sentence(self, analysis: Analysis) -> str:
        """Return the state or the result as a sentence."""
        return sentence(analysis)

    @extend_schema_field(PROBABILITIES)
    def get_probabilities(self, analysis: Analysis) -> dict[str, float] | None:
        """Return the probabilities by finding."""
        if analysis.probabilities is None:
            return None
        return dict(zip(FINDINGS, analysis.probabilities, strict=True))

    @extend_schema_field(FAILURE)
    def get_failure(self, analysis: Analysis) -> dict[str, str] | None:
        """Return why the analysis failed."""
        if analysis.state != Analysis.State.FAILED:
            return None
        return {"code": analysis.failure_code, "message": analysis.failure_message}

    @extend_schema_field(serializers.IntegerField(min_value=0))
    def get_queue_position(self, analysis: Analysis) -> int:
        """Return the position in the queue."""
        known = self.context.get("positions")
        return queue_position(analysis) if known is None else known.get(analysis.pk, 0)

    @extend_schema_field(URL_OR_NULL)
    def get_saliency(self, analysis: Analysis) -> str | None:
        """Return the URL of the saliency map."""
        if not analysis.saliency_finding:
            return None
        url = url_of("api:scan-saliency", analysis.scan_id)
        return f"{absolute(url, self.context)}?analysis={analysis.pk}"


class SideBySideSerializer(serializers.Serializer[SideBySide]):
    """The answers of several models for one scan."""

    agreement = serializers.ChoiceField(
        choices=[(kind.value, kind.value) for kind in Agreement],
        allow_null=True,
        help_text="`full`: the same answer. `partial`: some models report no finding. `kind`: tumors of different "
        "kinds. `presence`: some models see a tumor and others none. Null while fewer than two models have an answer.",
    )
    sentence = serializers.CharField(allow_blank=True, help_text="The agreement in words; empty for null.")
    analyses = AnalysisSerializer(many=True, help_text="The newest analysis of each model, the current one first.")
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="Models that have not analyzed the scan in their present version."
    )


class NewAnalysisSerializer(serializers.Serializer[Any]):
    """The model for a new analysis."""

    model = TextField(
        default="", max_length=lengths.MODEL_NAME, help_text="Name of an installed model; the default model when empty."
    )
