"""Query parameters, validated strictly: a misspelled filter must not return every scan."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from classifier.api.fields import (
    IsoDateField,
    JsonTextField,
    OwnTeamField,
    TextField,
    TrueOrFalse,
    TrueOrFalseField,
    WholeNumberField,
)
from classifier.findings import FINDING_LABELS, FINDINGS, Outcome
from classifier.models import Analysis, lengths
from classifier.models.review import READING_CHOICES

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
"""More rows would make one request hold a database connection for long."""


class QuerySerializer(serializers.Serializer[Any]):
    """The query parameters of one operation."""

    def to_internal_value(self, data: QueryDict) -> Any:
        """Return the values by name. Raise `ValidationError` for an unknown, repeated or invalid parameter."""
        errors = _unknown(data, self.fields, what="query parameter")
        for name, values in data.lists():
            if name in self.fields and len(values) > 1:
                errors[name] = [ErrorDetail("Give this query parameter only once.", code="repeated_parameter")]
        if errors:
            raise ValidationError(errors)
        return super().to_internal_value(data.dict())


class PageQuery(QuerySerializer):
    """The page of a list."""

    cursor = TextField(help_text="The position of a page. Follow `next` and `previous` instead of building it.")
    page_size = WholeNumberField(
        required=False,
        min_value=1,
        max_value=MAX_PAGE_SIZE,
        help_text=f"Rows per page; {PAGE_SIZE} by default.",
    )


class ScanFilterQuery(QuerySerializer):
    """Filters of lists of scans. An empty text filter has no effect."""

    finding = serializers.ChoiceField(
        choices=READING_CHOICES,
        required=False,
        help_text="What the current analysis, the newest review of any reader, or the newest confirmed diagnosis says. "
        "Sealed and withheld results are left out.",
    )
    outcome = serializers.ChoiceField(
        choices=[outcome.value for outcome in Outcome],
        required=False,
        help_text="The outcome of the current analysis. Sealed and withheld results are left out.",
    )
    state = serializers.ChoiceField(
        choices=Analysis.State.choices, required=False, help_text="The state of the current analysis."
    )
    patient_reference = TextField(
        max_length=lengths.PATIENT_REFERENCE, help_text="The whole patient reference, in upper or lower case."
    )
    model = TextField(max_length=lengths.MODEL_NAME, help_text="The name of the model of the current analysis.")
    uploaded_after = IsoDateField(required=False, help_text="The earliest day of the upload, inclusive.")
    uploaded_before = IsoDateField(required=False, help_text="The latest day of the upload, inclusive.")
    team = OwnTeamField(required=False, help_text="The number of one of the caller's teams.")
    mine = TrueOrFalseField(required=False, help_text="`true` leaves out the scans of teammates.")
    text = TextField(
        max_length=lengths.SEARCH,
        help_text="Words that must all occur in the patient reference, the notes or the name of the owner.",
    )


class ScanQuery(ScanFilterQuery, PageQuery):
    """Filters and pages of `GET scans/`."""


class ScanFilters(serializers.Serializer[Any]):
    """The filters of `GET scans/` in a JSON body."""

    def get_fields(self) -> dict[str, Any]:
        """Return the fields of the query, of which texts and truth values are of the types of JSON."""
        fields = ScanFilterQuery().get_fields()
        for name, field in fields.items():
            if isinstance(field, TextField):
                fields[name] = JsonTextField(max_length=field.max_length, help_text=field.help_text)
            elif isinstance(field, TrueOrFalseField):
                fields[name] = TrueOrFalse(required=False, help_text=field.help_text)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """Return the values by name. Raise `ValidationError` for an unknown or invalid filter."""
        if isinstance(data, Mapping) and (errors := _unknown(data, self.fields, what="filter")):
            raise ValidationError(errors)
        return super().to_internal_value(data)


def _unknown(given: Iterable[str], known: Mapping[str, Any], *, what: str) -> dict[str, list[str]]:
    """Return an error for each name that is not known."""
    sentence = f"There is no such {what}. Available: {', '.join(known)}."
    return {name: [ErrorDetail(sentence, code="unknown_parameter")] for name in given if name not in known}


class SaliencyQuery(QuerySerializer):
    """Which saliency map to show."""

    analysis = serializers.UUIDField(
        required=False, help_text="One of the analyses of the scan; by default the current one."
    )
    finding = serializers.ChoiceField(
        choices=[(name, FINDING_LABELS[name]) for name in FINDINGS],
        required=False,
        help_text="The finding to show; by default the one that the analysis reports.",
    )
