"""Fields that accept exactly what the schema says, no more."""

import re
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator, RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from classifier.models import Team, lengths
from classifier.selectors.team import teams_of
from classifier.services.scan import PATIENT_REFERENCE

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# PostgreSQL cannot store a null character.
_NO_NULL = RegexValidator(r"^[^\x00]*\Z", "Null characters are not allowed.", code="null_characters_not_allowed")
_PATIENT_REFERENCE = RegexValidator(
    rf"^{PATIENT_REFERENCE.pattern}\Z",
    f"Only letters, digits, spaces and . / # : + - _ are allowed, {lengths.PATIENT_REFERENCE} at most. "
    "Use a pseudonym, never a name.",
    code="invalid_patient_reference",
)


class TextField(serializers.CharField):
    """Optional text. The length limit counts surrounding spaces too."""

    def __init__(self, **kwargs: Any) -> None:
        defaults: dict[str, Any] = {
            "required": False,
            "allow_blank": True,
            "trim_whitespace": False,
            "validators": [_NO_NULL],
        }
        super().__init__(**(defaults | kwargs))
        # The base class adds a validator of its own, which would report the same character once more.
        self.validators = [each for each in self.validators if not isinstance(each, ProhibitNullCharactersValidator)]


class JsonTextField(TextField):
    """Text of a JSON body."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Unlike its base, refuse numbers."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class PatientReferenceField(TextField):
    """The patient reference of an upload."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[_PATIENT_REFERENCE], **kwargs)


class WholeNumberField(serializers.IntegerField):
    """An integer in decimal digits."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number. Unlike its base, refuse `5.0` and surrounding spaces."""
        if not _INTEGER.fullmatch(str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": f"^({_UUID.pattern})?$"})
class HyphenatedUuidField(serializers.UUIDField):
    """A UUID of 32 hexadecimal digits with hyphens. Forms send an empty text for none."""

    default_error_messages = {"invalid": "Enter a UUID with hyphens."}  # noqa: RUF012 - as the base class has it

    def to_internal_value(self, data: Any) -> Any:
        """Return the UUID. Unlike its base, refuse integers, braces, URNs, and digits without hyphens."""
        if not _UUID.fullmatch(str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "format": "uuid"})
class JsonUuidField(HyphenatedUuidField):
    """A UUID of a JSON body, which has no empty text for none."""


class IsoDateField(serializers.DateField):
    """A date as `YYYY-MM-DD`."""

    default_error_messages = {"invalid": "Enter a date as YYYY-MM-DD."}  # noqa: RUF012 - as the base class has it

    def to_internal_value(self, value: Any) -> Any:
        """Return the date. Unlike its base, refuse single digits and week dates."""
        if not _DATE.fullmatch(str(value)):
            self.fail("invalid")
        return super().to_internal_value(value)


class TrueOrFalseField(serializers.BooleanField):
    """`true` or `false` in upper or lower case, as django-filter accepts."""

    TRUE_VALUES = {"true", "True", "TRUE"}  # noqa: RUF012 - as the base class has it
    FALSE_VALUES = {"false", "False", "FALSE"}  # noqa: RUF012
    NULL_VALUES: set[Any] = set()  # noqa: RUF012


class TrueOrFalse(serializers.BooleanField):
    """`true` or `false`; unlike its base, no text and no number."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the value."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": "integer", "minimum": 1})
class OwnTeamField(serializers.PrimaryKeyRelatedField[Team]):
    """The number of one of the caller's teams. Any other team does not exist for the caller."""

    default_error_messages = {  # noqa: RUF012 - as the base class has it
        "does_not_exist": "You are not a member of a team with this number.",
        "incorrect_type": "Enter the number of a team.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(pk_field=WholeNumberField(), **kwargs)

    def get_queryset(self) -> Any:
        """Return the caller's teams."""
        return teams_of(self.context["request"].user)
