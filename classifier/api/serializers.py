"""The API's representations. Every field is documented by the schema made from them."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.reverse import reverse

from classifier.findings import FINDINGS
from classifier.models import Analysis, Scan, Team
from classifier.queue.order import queue_position
from classifier.selectors.team import teams_of

PROBABILITIES = inline_serializer("Probabilities", {name: serializers.FloatField() for name in FINDINGS})
FAILURE = inline_serializer("Failure", {"code": serializers.CharField(), "message": serializers.CharField()})


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    """One run of one model version on one scan."""

    model = serializers.CharField(source="model_name")
    probabilities = serializers.SerializerMethodField(help_text="Calibrated; null until succeeded.")
    tumor_probability = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text="Calibrated probability of a tumor of any kind; else null.",
    )
    possible_findings = serializers.ListField(
        child=serializers.ChoiceField(choices=FINDINGS), read_only=True, help_text="Those that remain possible."
    )
    failure = serializers.SerializerMethodField(help_text="Null unless failed.")
    queue_position = serializers.SerializerMethodField(help_text="1 is next; 0 when it is not queued.")
    saliency = serializers.SerializerMethodField(help_text="URL of the overlay (PNG); null where none is shown.")

    class Meta:
        model = Analysis
        fields = (
            "id",
            "state",
            "outcome",
            "finding",
            "possible_findings",
            "probabilities",
            "tumor_probability",
            "confidence",
            "ood_score",
            "model",
            "model_version",
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

    @extend_schema_field(PROBABILITIES)
    def get_probabilities(self, analysis: Analysis) -> dict[str, float] | None:
        """Probabilities by finding."""
        if analysis.probabilities is None:
            return None
        return dict(zip(FINDINGS, analysis.probabilities, strict=True))

    @extend_schema_field(FAILURE)
    def get_failure(self, analysis: Analysis) -> dict[str, str] | None:
        """Why it failed."""
        if analysis.state != Analysis.State.FAILED:
            return None
        return {"code": analysis.failure_code, "message": analysis.failure_message}

    def get_queue_position(self, analysis: Analysis) -> int:
        """Its place in the queue."""
        return queue_position(analysis)

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_saliency(self, analysis: Analysis) -> str | None:
        """Where the class evidence lies."""
        if not analysis.saliency_finding:
            return None
        return reverse("api:scan-saliency", args=[analysis.scan_id], request=self.context.get("request"))


class ScanSerializer(serializers.ModelSerializer[Scan]):
    """One uploaded image with its current analysis."""

    owner = serializers.CharField(source="owner.username")
    team = serializers.PrimaryKeyRelatedField[Team](read_only=True)
    analysis = AnalysisSerializer(source="current_analysis")
    url = serializers.SerializerMethodField()
    image = serializers.SerializerMethodField()
    thumbnail = serializers.SerializerMethodField()

    class Meta:
        model = Scan
        fields = (
            "id",
            "url",
            "owner",
            "team",
            "patient_reference",
            "notes",
            "width",
            "height",
            "source_format",
            "pixels_sha256",
            "created_at",
            "image",
            "thumbnail",
            "analysis",
        )
        read_only_fields = fields

    def get_url(self, scan: Scan) -> str:
        """This resource."""
        return self._url("api:scan-detail", scan)

    def get_image(self, scan: Scan) -> str:
        """The canonical image, PNG."""
        return self._url("api:scan-image", scan)

    def get_thumbnail(self, scan: Scan) -> str:
        """The thumbnail, PNG."""
        return self._url("api:scan-thumbnail", scan)

    def _url(self, name: str, scan: Scan) -> str:
        return reverse(name, args=[scan.pk], request=self.context.get("request"))


class SubmittedScanSerializer(ScanSerializer):
    """A scan as `POST scans/` answers it."""

    earlier_scan = serializers.SerializerMethodField(help_text="An earlier visible scan of the same pixels, or null.")

    class Meta:
        model = Scan
        fields = (*ScanSerializer.Meta.fields, "earlier_scan")
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_earlier_scan(self, scan: Scan) -> str | None:
        """URL of the earlier scan."""
        earlier = self.context.get("earlier")
        return None if earlier is None else self._url("api:scan-detail", earlier)


@extend_schema_field(OpenApiTypes.INT)
class TeamOfRequest(serializers.PrimaryKeyRelatedField[Team]):
    """One of the caller's own teams; any other does not exist."""

    def get_queryset(self) -> Any:
        """The teams of whoever asks."""
        return teams_of(self.context["request"].user)


class UploadSerializer(serializers.Serializer[Any]):
    """The fields of an upload. The file itself is judged by intake."""

    image = serializers.FileField(allow_empty_file=True, help_text="JPEG, PNG or single-frame DICOM, at most 20 MB.")
    patient_reference = serializers.CharField(required=False, allow_blank=True, default="", max_length=64)
    team = TeamOfRequest(required=False, allow_null=True, default=None)
    notes = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)
    model = serializers.CharField(required=False, allow_blank=True, default="", max_length=64)


class NewAnalysisSerializer(serializers.Serializer[Any]):
    """Which model to run again."""

    model = serializers.CharField(required=False, allow_blank=True, default="", max_length=64)
