"""Scans: the uploaded images."""

import json
import uuid
from collections.abc import Iterable
from typing import Self

from django.conf import settings
from django.db import connections, models
from django.db.models import F
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower

from classifier.input_problems import BLOCKING, codes
from classifier.links import url_of
from classifier.models import lengths
from classifier.models.review import READING_CHOICES
from classifier.models.scan_sample import sample_indexes
from classifier.models.sealing import SealingQuerySet

MAX_NOTES = 4000
BOOLEAN: models.BooleanField[bool, bool] = models.BooleanField()


def image_path(scan: "Scan", filename: str) -> str:
    """Return the path of a scan's file below the media root. It does not contain the client's file name."""
    name = str(scan.pk)
    return f"scans/{name[:2]}/{name}/{filename}"


class ScanQuerySet(SealingQuerySet["Scan"]):
    """Scans."""

    def with_keys(self, keys: Iterable[uuid.UUID | str]) -> Self:
        """Keep the scans with these keys, in no order, and look each up by its key.

        With a long list of parameters, or an order, SQLite would rather read all scans of every person.
        """
        if connections[self.db].vendor != "sqlite":
            return self.filter(pk__in=list(keys)).order_by()
        words = json.dumps([uuid.UUID(str(key)).hex for key in keys])
        return self.filter(pk__in=RawSQL("SELECT value FROM json_each(%s)", [words])).order_by()

    def with_idempotency_key(self, key: str) -> Self:
        """Keep the scans with this key. The literal lets SQLite use the partial index."""
        has_key = models.Func("idempotency_key", template="NOT (%(expressions)s = '')", output_field=BOOLEAN)
        return self.filter(has_key, idempotency_key=key)

    def _prepare(self, row: "Scan") -> None:
        if "current_analysis" in row._state.fields_cache and row.current_analysis is not None:
            # The analysis reads the input check of its scan without a query of its own.
            row.current_analysis.scan = row


class Scan(models.Model):
    """One uploaded image and its record.

    Only canonical pixels are kept. The original file is discarded with its name, which may identify a patient.
    `current_analysis` is the one that pages show: the newest, apart from those that only compare models.
    """

    class SourceFormat(models.TextChoices):
        """Type of the uploaded file, detected from its content."""

        JPEG = "JPEG", "JPEG"
        PNG = "PNG", "PNG"
        DICOM = "DICOM", "DICOM"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="scans")
    team = models.ForeignKey("classifier.Team", on_delete=models.SET_NULL, null=True, blank=True, related_name="scans")
    patient_reference = models.CharField(
        max_length=lengths.PATIENT_REFERENCE, blank=True, help_text="A pseudonym, never a name."
    )
    notes = models.TextField(max_length=MAX_NOTES, blank=True)
    image = models.FileField(upload_to=image_path, max_length=120)
    thumbnail = models.FileField(upload_to=image_path, max_length=120)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    pixels_sha256 = models.CharField(max_length=64)
    source_format = models.CharField(max_length=8, choices=SourceFormat)
    sample = models.CharField(max_length=40, blank=True, help_text="The bundled sample it was made from.")
    idempotency_key = models.CharField(max_length=lengths.IDEMPOTENCY_KEY, blank=True, editable=False)
    reviewed_finding = models.CharField(
        max_length=16,
        choices=READING_CHOICES,
        blank=True,
        editable=False,
        help_text="The newest confirmed diagnosis, else the finding of the newest review. For filters.",
    )
    facet = models.CharField(
        max_length=110,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="See `Facet`. Set by triggers of the database alone.",
    )
    input_problems = models.JSONField(
        default=list, blank=True, editable=False, help_text="What the input check found: codes with their details."
    )
    input_accepted_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a person said that the image is right."
    )
    mended_from = models.UUIDField(
        null=True, blank=True, editable=False, help_text="The scan whose image was turned or blanked to make this one."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    current_analysis = models.OneToOneField(
        "classifier.Analysis", on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    objects = ScanQuerySet.as_manager()

    # Whether the scan is closed to the person this object was loaded for, and whether a result was taken out of it.
    closed = False
    sealed = False

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=("owner", "-created_at", "-id", "team"), name="scan_owner_newest"),
            models.Index(fields=("team", "-created_at", "-id"), name="scan_team_newest"),
            models.Index(fields=("-created_at", "-id"), name="scan_newest"),
            models.Index(fields=("team", "facet", "-created_at", "-id"), name="scan_team_facet"),
            models.Index(fields=("owner", "team", "facet", "-created_at", "-id"), name="scan_owner_team_facet"),
            models.Index(
                *(F("owner"), Lower("patient_reference"), F("created_at").desc(), F("id").desc()),
                name="scan_owner_patient",
            ),
            models.Index(
                *(F("team"), Lower("patient_reference"), F("created_at").desc(), F("id").desc()),
                name="scan_team_patient",
            ),
            models.Index(fields=("pixels_sha256",), name="scan_pixels"),
            *sample_indexes(),
        )
        constraints = (
            # A repeated request returns the scan of the first one, even if both arrive at once.
            models.UniqueConstraint(
                fields=("owner", "idempotency_key"),
                condition=~models.Q(idempotency_key=""),
                name="scan_idempotency_key_once",
            ),
        )

    def __str__(self) -> str:
        return f"Scan {self.short_id}"

    def get_absolute_url(self) -> str:
        """Return the URL of the scan's page."""
        return url_of("web:scan", self.pk)

    @property
    def short_id(self) -> str:
        """The first eight characters of the identifier, for people."""
        return str(self.pk)[:8]

    @property
    def input_codes(self) -> tuple[str, ...]:
        """Codes of the problems that the input check found, without those that a person has overruled."""
        found = codes(self.input_problems)
        return found if self.input_accepted_at is None else tuple(code for code in found if code not in BLOCKING)

    def withhold(self) -> None:
        """Take an answer that the input check withholds out of this object."""
        if self.current_analysis is not None:
            self.current_analysis.withhold()

    def seal(self) -> None:
        """Take the result, and what reviews say of it, out of this object."""
        self.closed = True
        if self.current_analysis is not None:
            self.current_analysis.seal()
            self.sealed = self.current_analysis.sealed
        self.reviewed_finding = self.facet = ""
