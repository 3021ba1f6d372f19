"""Batches in the API: the results of files that were uploaded together."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from classifier.api.analysis_serializers import URL, URL_OR_NULL
from classifier.api.base import PrivateView
from classifier.api.links import absolute
from classifier.api.pagination import NewestFirst
from classifier.api.queries import PageQuery
from classifier.api.schema import RETRY_AFTER, errors
from classifier.links import url_of
from classifier.models import Batch, Team
from classifier.selectors.batch import BatchList, Entry, batch_counts, batch_entries, counts_of_batches, get_batch
from classifier.wording import BATCH_LABELS

COUNTS = {
    "type": "object",
    "properties": {name: {"type": "integer", "minimum": 1} for name in BATCH_LABELS},
    "additionalProperties": False,
}


class BatchFileSerializer(serializers.Serializer[Entry]):
    """One file of a batch."""

    number = serializers.IntegerField(min_value=1, read_only=True, help_text="Position in the upload, from 1.")
    name = serializers.CharField(
        allow_blank=True, read_only=True, help_text="Name of the file; empty unless the owner has names stored."
    )
    state = serializers.ChoiceField(
        choices=list(BATCH_LABELS.items()), read_only=True, help_text="Outcome of the file."
    )
    scan = serializers.SerializerMethodField(
        help_text="URL of the scan; null if the file was refused, or the scan is deleted or not visible to the caller."
    )
    refusal = serializers.CharField(
        allow_blank=True, read_only=True, help_text="Why the file was refused; empty if it was not."
    )

    @extend_schema_field(URL_OR_NULL)
    def get_scan(self, entry: Entry) -> str | None:
        """Return the URL of the scan."""
        if entry.scan is None:
            return None
        return absolute(url_of("api:scan-detail", entry.scan.pk), self.context)


class BatchSerializer(serializers.ModelSerializer[Batch]):
    """Files that one person uploaded together."""

    owner = serializers.CharField(source="owner.username", read_only=True, help_text="User name of the uploader.")
    team = serializers.PrimaryKeyRelatedField[Team](
        read_only=True, allow_null=True, help_text="Number of the team that the batch is shared with."
    )
    url = serializers.SerializerMethodField(help_text="URL of the batch.")
    counts = serializers.SerializerMethodField(help_text="Number of files by outcome.")

    class Meta:
        model = Batch
        fields: tuple[str, ...] = ("id", "url", "owner", "team", "patient_reference", "created_at", "counts")
        read_only_fields = fields
        extra_kwargs = {  # noqa: RUF012 - as Django REST framework documents it
            "patient_reference": {"help_text": "A pseudonym, never a name."},
            "created_at": {"help_text": "Time of the upload."},
        }

    @extend_schema_field(URL)
    def get_url(self, batch: Batch) -> str:
        """Return the URL of the batch."""
        return absolute(url_of("api:batch-detail", batch.pk), self.context)

    @extend_schema_field(COUNTS)
    def get_counts(self, batch: Batch) -> dict[str, int]:
        """Return the number of files in each state that has any."""
        return dict(self.context["counts"][batch.pk])


class BatchDetailSerializer(BatchSerializer):
    """A batch with its files."""

    files = serializers.SerializerMethodField(help_text="The files in their order.")

    class Meta(BatchSerializer.Meta):
        fields = (*BatchSerializer.Meta.fields, "files")
        read_only_fields = fields

    @extend_schema_field(BatchFileSerializer(many=True))
    def get_files(self, batch: Batch) -> list[dict[str, Any]]:
        """Return the files."""
        entries = self.context["entries"][batch.pk]
        return list(BatchFileSerializer(entries, many=True, context=self.context).data)


class BatchViewSet(PrivateView, GenericViewSet[Batch]):
    """Batches of the caller and of the caller's teams."""

    serializer_class = BatchSerializer
    queryset = Batch.objects.none()  # For the schema; every request reads through the selector.
    pagination_class = NewestFirst

    @extend_schema(
        parameters=[PageQuery, RETRY_AFTER],
        responses={200: BatchSerializer(many=True)} | errors(400, status_404="The cursor is not valid."),
    )
    def list(self, request: Request) -> Response:
        """List the batches that the caller can see, newest first."""
        PageQuery(data=request.query_params).is_valid(raise_exception=True)
        page: Any = self.paginate_queryset(BatchList(request.user)) or []  # type: ignore[arg-type]
        context = {**self.get_serializer_context(), "counts": counts_of_batches(request.user, page)}  # type: ignore[arg-type]
        return self.get_paginated_response(BatchSerializer(page, many=True, context=context).data)

    @extend_schema(parameters=[RETRY_AFTER], responses={200: BatchDetailSerializer} | errors(404))
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Return one batch with its files."""
        try:
            batch = get_batch(request.user, pk)  # type: ignore[arg-type]
        except Batch.DoesNotExist as error:
            raise Http404 from error
        entries = batch_entries(request.user, [batch])  # type: ignore[arg-type]
        counts = {batch.pk: batch_counts(entries[batch.pk])}
        context = {**self.get_serializer_context(), "entries": entries, "counts": counts}
        return Response(BatchDetailSerializer(batch, context=context).data)
