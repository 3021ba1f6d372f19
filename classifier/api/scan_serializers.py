"""The API's representations of scans and uploads. The OpenAPI schema is generated from them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from classifier.api.analysis_serializers import URL, URL_OR_NULL, AnalysisSerializer
from classifier.api.fields import HyphenatedUuidField, OwnTeamField, PatientReferenceField, TextField
from classifier.api.links import absolute
from classifier.input_problems import SENTENCES, mend_of
from classifier.intake import MAX_BYTES
from classifier.links import url_of
from classifier.models import Scan, Team, lengths
from classifier.models.scan import MAX_NOTES
from classifier.privacy import HINT, looks_identifying
from classifier.wording import megabytes, withheld

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
        return absolute(url_of(name, scan.pk), self.context)


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
    notes = TextField(default="", max_length=MAX_NOTES, help_text="Free text.")
    batch = HyphenatedUuidField(
        required=False,
        default=None,
        help_text="A UUID with hyphens that the client chooses for files that belong together; see `batches/`.",
    )
    model = TextField(
        default="", max_length=lengths.MODEL_NAME, help_text="Name of an installed model; the default model when empty."
    )
    blank_text = serializers.BooleanField(
        default=False,
        help_text="Whether text and markings that the input check finds outside the head are blanked out before the "
        "image is stored. `input_problems` then contains `blanked`.",
    )
