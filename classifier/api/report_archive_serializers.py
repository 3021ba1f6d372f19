"""Jobs that make files of reports, and requests for them, as the API reads and writes them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from classifier.api.analysis_serializers import URL, URL_OR_NULL
from classifier.api.fields import JsonTextField, JsonUuidField
from classifier.api.links import absolute
from classifier.api.queries import ScanFilters
from classifier.links import url_of
from classifier.models import Batch, ReportArchive, User, lengths
from classifier.models.report_archive import LeftOut
from classifier.selectors.history import criteria_of
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.report_selection import (
    Selection,
    batch_scans,
    chosen_scans,
    listed_scans,
    patient_scans,
)
from classifier.services.errors import NotFound
from classifier.services.report_archive import KEPT
from classifier.services.report_request import MAX_SCANS, NO_SCANS, TOO_MANY_SCANS

ONE_MORE = MAX_SCANS + 1
"""Keys to look up at most: with one too many the request is refused."""


class LeftOutSerializer(serializers.Serializer[Any]):
    """A scan without a report in a ZIP file."""

    scan = serializers.UUIDField(read_only=True, help_text="Identifier of the scan.")
    code = serializers.ChoiceField(choices=LeftOut.choices, read_only=True, help_text="A stable word for programs.")
    sentence = serializers.CharField(read_only=True, help_text="The reason, for people.")


class ReportArchiveSerializer(serializers.ModelSerializer[ReportArchive]):
    """A job that makes a file of reports."""

    url = serializers.SerializerMethodField(help_text="URL of the job.")
    kind = serializers.ChoiceField(choices=ReportArchive.Kind.choices, read_only=True)
    state = serializers.ChoiceField(choices=ReportArchive.State.choices, read_only=True)
    left_out = serializers.SerializerMethodField(
        help_text="How many scans have no report in the file; so far, until `state` is `succeeded`."
    )
    file = serializers.SerializerMethodField(help_text="URL of the file; null until `state` is `succeeded`.")
    expires_at = serializers.SerializerMethodField(help_text="When job and file are removed; null before it has ended.")

    class Meta:
        model = ReportArchive
        fields: tuple[str, ...] = (
            "id",
            "url",
            "kind",
            "title",
            "state",
            "done",
            "total",
            "left_out",
            "bytes",
            "file",
            "failure_message",
            "created_at",
            "finished_at",
            "expires_at",
        )
        read_only_fields = fields
        extra_kwargs = {  # noqa: RUF012 - as Django REST framework documents it
            "done": {"help_text": "How many reports are finished or left out."},
            "total": {"help_text": "How many scans the ZIP file is about; 1 for a PDF file."},
            "failure_message": {"help_text": "Why there is no file; empty otherwise."},
        }

    @extend_schema_field(URL)
    def get_url(self, row: ReportArchive) -> str:
        """Return the absolute URL of the job."""
        return absolute(url_of("api:report-file", row.pk), self.context)

    def get_left_out(self, row: ReportArchive) -> int:
        """Return the number of scans without a report."""
        return len(row.left_out)

    @extend_schema_field(URL_OR_NULL)
    def get_file(self, row: ReportArchive) -> str | None:
        """Return the absolute URL of the file, if it is ready."""
        if row.state != ReportArchive.State.SUCCEEDED:
            return None
        return absolute(url_of("api:report-file-content", row.pk), self.context)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_expires_at(self, row: ReportArchive) -> str | None:
        """Return when the job is removed, in ISO 8601."""
        return (
            None if row.finished_at is None else serializers.DateTimeField().to_representation(row.finished_at + KEPT)
        )


class ReportArchiveDetailSerializer(ReportArchiveSerializer):
    """A job that makes a file of reports, with the scans that have none."""

    left_out_scans = serializers.SerializerMethodField(
        help_text="The scans without a report in the file, and why. `contents.txt` in the ZIP file says the same."
    )

    class Meta(ReportArchiveSerializer.Meta):
        fields = (*ReportArchiveSerializer.Meta.fields, "left_out_scans")
        read_only_fields = fields

    @extend_schema_field(LeftOutSerializer(many=True))
    def get_left_out_scans(self, row: ReportArchive) -> list[dict[str, str]]:
        """Return the scans without a report, in the order of the file: PostgreSQL keeps no order of keys in JSON."""
        return [
            {"scan": scan_id, "code": row.left_out[scan_id], "sentence": LeftOut(row.left_out[scan_id]).label}
            for scan_id in row.scan_ids
            if scan_id in row.left_out
        ]


@extend_schema_field(
    {"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 1, "maxItems": MAX_SCANS}
)
class ScanIdsField(serializers.ListField):
    """Identifiers of scans. Their number is checked first, so that a long list is refused quickly."""

    child = JsonUuidField()
    default_error_messages = {  # noqa: RUF012 - as the base class has it
        "no_scans": NO_SCANS,
        "too_many_scans": TOO_MANY_SCANS,
    }

    def to_internal_value(self, data: Any) -> list[UUID]:
        """Return the identifiers."""
        if isinstance(data, list) and not data:
            self.fail("no_scans")
        if isinstance(data, list) and len(data) > MAX_SCANS:
            self.fail("too_many_scans")
        return list(super().to_internal_value(data))


class SelectionSerializer(serializers.Serializer[Any]):
    """Base of the bodies that select scans."""

    def selection(self, user: User) -> Selection:
        """Return the selected scans as the user sees them; of too many, one too many."""
        raise NotImplementedError


class ScansSerializer(SelectionSerializer):
    """The reports of these scans, in their order."""

    scans = ScanIdsField(
        help_text="Identifiers of scans; each is taken once. Scans that the caller cannot see are left out."
    )

    def selection(self, user: User) -> Selection:
        """Return the scans."""
        return chosen_scans(user, self.validated_data["scans"])


class BatchScansSerializer(SelectionSerializer):
    """The reports of the scans of a batch, in the order of the upload."""

    batch = JsonUuidField(help_text="Identifier of the batch.")

    def selection(self, user: User) -> Selection:
        """Return the scans. Raise `NotFound` for a batch that the user cannot see."""
        try:
            return batch_scans(user, self.validated_data["batch"], limit=ONE_MORE)
        except Batch.DoesNotExist as error:
            raise NotFound("There is no such batch.") from error


class PatientScansSerializer(SelectionSerializer):
    """The reports of the scans of a patient, oldest first."""

    patient_reference = JsonTextField(
        required=True,
        allow_blank=False,
        max_length=lengths.PATIENT_REFERENCE,
        help_text="The whole patient reference, in upper or lower case.",
    )

    def selection(self, user: User) -> Selection:
        """Return the scans."""
        return patient_scans(user, self.validated_data["patient_reference"], limit=ONE_MORE)


class FilteredScansSerializer(SelectionSerializer):
    """The reports of the scans that `GET scans/` lists with these filters, newest first."""

    filters = ScanFilters(help_text="An empty object selects every scan that the caller can see.")

    def selection(self, user: User) -> Selection:
        """Return the scans."""
        scans = ScanList(scope_of(user), criteria_of(self.validated_data["filters"]))
        return listed_scans(scans, limit=ONE_MORE)


FORMS: dict[str, type[SelectionSerializer]] = {
    "scans": ScansSerializer,
    "batch": BatchScansSerializer,
    "patient_reference": PatientScansSerializer,
    "filters": FilteredScansSerializer,
}
"""The serializer for each field of which a body has exactly one."""

NEW_REPORT_ARCHIVE = PolymorphicProxySerializer(
    component_name="NewReportArchive", serializers=list(FORMS.values()), resource_type_field_name=None
)
"""The body of a request for a ZIP file, for the schema."""


def new_report_archive(data: Any, *, context: Mapping[str, Any]) -> SelectionSerializer:
    """Return the validated serializer for the body of a request for a ZIP file.

    Raises:
        ValidationError: If a value is invalid, or the body has none or several of the fields.
    """
    given = [name for name in FORMS if name in data] if isinstance(data, dict) else list(FORMS)[:1]
    if len(given) != 1:
        sentence = f"Select the scans with exactly one of {', '.join(FORMS)}."
        raise ValidationError([ErrorDetail(sentence, code="one_selection")])
    serializer = FORMS[given[0]](data=data, context=dict(context))
    serializer.is_valid(raise_exception=True)
    return serializer


def hash_of(serializer: SelectionSerializer) -> str:
    """Return the SHA-256 of what a body selects, whatever its spaces and the order of its fields."""
    fields = {name: serializer.initial_data[name] for name in serializer.fields}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
