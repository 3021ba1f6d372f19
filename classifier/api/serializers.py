"""The API's representations. The OpenAPI schema is generated from them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.reverse import reverse

from classifier.agreement import Agreement
from classifier.api.fields import HyphenatedUuidField, OwnTeamField, PatientReferenceField, TextField
from classifier.findings import ANSWERS, FINDING_LABELS, FINDINGS, Outcome
from classifier.input_problems import SENTENCES, mend_of
from classifier.intake import MAX_BYTES
from classifier.models import Analysis, Scan, Team
from classifier.privacy import HINT, looks_identifying
from classifier.queue.order import queue_position
from classifier.selectors.side_by_side import SideBySide
from classifier.wording import megabytes, sentence, withheld


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
INPUT_PROBLEMS = inline_serializer(
    "InputProblem",
    {
        "code": serializers.ChoiceField(choices=list(SENTENCES)),
        "sentence": serializers.CharField(help_text="A sentence that can be shown to people."),
        "mend": serializers.ChoiceField(
            choices=["turn", "blank"],
            allow_null=True,
            help_text="The action of `mend/` that mends it; null if none does.",
        ),
    },
    many=True,
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
        return queue_position(analysis)

    @extend_schema_field(URL_OR_NULL)
    def get_saliency(self, analysis: Analysis) -> str | None:
        """Return the URL of the saliency map."""
        if not analysis.saliency_finding:
            return None
        url = reverse("api:scan-saliency", args=[analysis.scan_id], request=self.context.get("request"))
        return f"{url}?analysis={analysis.pk}"


class SideBySideSerializer(serializers.Serializer[SideBySide]):
    """What several models say of one scan."""

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


class ScanSerializer(serializers.ModelSerializer[Scan]):
    """One uploaded image with its current analysis."""

    owner = serializers.CharField(source="owner.username", read_only=True, help_text="User name of the uploader.")
    team = serializers.PrimaryKeyRelatedField[Team](
        read_only=True,
        allow_null=True,
        help_text="Number of the team that the scan is shared with; null when it is not shared.",
    )
    analysis = AnalysisSerializer(
        source="current_analysis", read_only=True, allow_null=True, help_text="The newest analysis."
    )
    sealed = serializers.BooleanField(
        read_only=True,
        help_text="Whether there is a result that is closed to the caller until they have recorded an impression.",
    )
    input_problems = serializers.SerializerMethodField(
        help_text="Problems of the image that the input check found and nobody has overruled."
    )
    withheld = serializers.SerializerMethodField(
        help_text="Whether the answer is withheld because of `input_problems`: outcome, finding, probabilities, and "
        "map are empty, here and on the pages, until a person mends or accepts the image with `POST scans/{id}/mend/`."
    )
    url = serializers.SerializerMethodField(help_text="URL of the scan.")
    image = serializers.SerializerMethodField(help_text="URL of the canonical image, an 8-bit grayscale PNG.")
    thumbnail = serializers.SerializerMethodField(help_text="URL of the thumbnail, an 8-bit grayscale PNG.")

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
            "input_problems",
            "withheld",
            "mended_from",
            "sealed",
            "analysis",
        )
        read_only_fields = fields
        extra_kwargs = {  # noqa: RUF012 - as Django REST framework documents it
            "patient_reference": {"help_text": "A pseudonym, never a name."},
            "width": {"help_text": "Width of the canonical image in pixels."},
            "height": {"help_text": "Height of the canonical image in pixels."},
            "source_format": {"help_text": "Format of the uploaded file."},
            "pixels_sha256": {"help_text": "SHA-256 of the canonical pixels, in hexadecimal digits."},
            "created_at": {"help_text": "Time of the upload."},
        }

    @extend_schema_field(INPUT_PROBLEMS)
    def get_input_problems(self, scan: Scan) -> list[dict[str, str | None]]:
        """Return the problems with their sentences and mends."""
        shown = [problem for problem in scan.input_problems if problem.get("code") in scan.input_codes]
        return [
            {"code": problem["code"], "sentence": SENTENCES[problem["code"]], "mend": mend_of(problem) or None}
            for problem in shown
        ]

    @extend_schema_field(serializers.BooleanField())
    def get_withheld(self, scan: Scan) -> bool:
        """Return whether the answer is withheld."""
        return withheld(scan.current_analysis)

    @extend_schema_field(URL)
    def get_url(self, scan: Scan) -> str:
        """Return the URL of the scan."""
        return self._url("api:scan-detail", scan)

    @extend_schema_field(URL)
    def get_image(self, scan: Scan) -> str:
        """Return the URL of the canonical image."""
        return self._url("api:scan-image", scan)

    @extend_schema_field(URL)
    def get_thumbnail(self, scan: Scan) -> str:
        """Return the URL of the thumbnail."""
        return self._url("api:scan-thumbnail", scan)

    def _url(self, name: str, scan: Scan) -> str:
        return reverse(name, args=[scan.pk], request=self.context.get("request"))


class SubmittedScanSerializer(ScanSerializer):
    """A scan as `POST scans/` returns it."""

    earlier_scan = serializers.SerializerMethodField(
        help_text="URL of an earlier scan with the same pixels that the caller can see; null when there is none."
    )

    warnings = serializers.SerializerMethodField(
        help_text="Sentences about the request, such as a patient reference that looks like a name."
    )

    class Meta:
        model = Scan
        fields = (*ScanSerializer.Meta.fields, "earlier_scan", "warnings")
        read_only_fields = fields
        extra_kwargs = ScanSerializer.Meta.extra_kwargs

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_warnings(self, scan: Scan) -> list[str]:
        """Return the warnings."""
        return [HINT] if looks_identifying(scan.patient_reference) else []

    @extend_schema_field(URL_OR_NULL)
    def get_earlier_scan(self, scan: Scan) -> str | None:
        """Return the URL of the earlier scan."""
        earlier = self.context.get("earlier")
        return None if earlier is None else self._url("api:scan-detail", earlier)


class UploadSerializer(serializers.Serializer[Any]):
    """The form fields of an upload."""

    # Intake checks the file itself, an empty one too: its sentences tell people what to do.
    image = serializers.FileField(
        allow_empty_file=True,
        help_text=f"One slice as JPEG, PNG or single-frame DICOM, at most {megabytes(MAX_BYTES)}.",
    )
    patient_reference = PatientReferenceField(
        default="",
        help_text="A pseudonym, never a name: letters, digits, spaces and the characters `. / # : + - _`.",
    )
    team = OwnTeamField(
        required=False, default=None, help_text="Number of one of the caller's teams to share the scan with."
    )
    notes = TextField(default="", max_length=4000, help_text="Free text.")
    batch = HyphenatedUuidField(
        required=False,
        default=None,
        help_text="A UUID with hyphens that the client chooses for files that belong together; see `batches/`.",
    )
    model = TextField(default="", max_length=64, help_text="Name of an installed model; the default model when empty.")


class NewAnalysisSerializer(serializers.Serializer[Any]):
    """The model for a new analysis."""

    model = TextField(default="", max_length=64, help_text="Name of an installed model; the default model when empty.")
