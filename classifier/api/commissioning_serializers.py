"""The API's representations of commissionings, their cases, and their acceptance reports."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from classifier.acceptance.limits import BY_KEY, DEFAULT_LEAST_CASES, LIMITS, MAX_CASES, Verdict
from classifier.api.fields import JsonTextField, TrueOrFalse, WholeNumberField
from classifier.findings import READINGS
from classifier.models import Commissioning, lengths
from classifier.selectors.acceptance import acceptance_of, site_calibration_of
from classifier.selectors.commissioning import progress_of

MAX_NEW_CASES = 500


class ShareField(serializers.FloatField):
    """A share in [0, 1], as a JSON number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=1, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        """Return the number. Unlike its base, refuse text and truth values."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return float(super().to_internal_value(data))


@extend_schema_field(
    {
        "type": "object",
        "description": "Limits; at least one.",
        "properties": {
            limit.key: {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "description": f"{limit.label}. {limit.help}",
            }
            for limit in LIMITS
        },
        "additionalProperties": False,
    }
)
class LimitsSerializer(serializers.Serializer[Any]):
    """Limits, each a share in [0, 1]; at least one."""

    def get_fields(self) -> dict[str, Any]:
        """Return a field for each kind of limit."""
        return {limit.key: ShareField(required=False) for limit in LIMITS}

    def to_internal_value(self, data: Any) -> Any:
        """Return the limits. Unlike its base, refuse unknown ones: a misspelled limit could never be added later."""
        if isinstance(data, dict) and (unknown := [key for key in data if key not in BY_KEY]):
            raise serializers.ValidationError(
                {key: [ErrorDetail("There is no such limit.", code="unknown_limit")] for key in unknown}
            )
        return super().to_internal_value(data)


class NewCommissioningSerializer(serializers.Serializer[Any]):
    """The start of a commissioning."""

    team = WholeNumberField(min_value=1, help_text="A team that the caller owns.")
    model = JsonTextField(
        required=True, allow_blank=False, max_length=lengths.MODEL_NAME, help_text="The name of an installed model."
    )
    title = JsonTextField(max_length=lengths.GIVEN_NAME, help_text="For people; by default the model and its version.")
    limits = LimitsSerializer()
    least_cases = WholeNumberField(
        required=False,
        default=DEFAULT_LEAST_CASES,
        min_value=1,
        max_value=MAX_CASES,
        help_text="With fewer cases of known truth, no limit is judged.",
    )
    prevalence = ShareField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Share of images with a tumor at the site, above 0 and below 1.",
    )


class ProgressSerializer(serializers.Serializer[Any]):
    """The progress of the analyses. It reveals none of their answers."""

    cases = serializers.IntegerField()
    waiting = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    withheld = serializers.IntegerField(
        help_text="Of these, cases with a problem for which the input check withholds answers. The report leaves them "
        "out, unless the model refuses the image. After the closing: those that the report left out."
    )
    failed = serializers.IntegerField()
    moved = serializers.IntegerField(help_text="Cases whose scan was moved out of the team.")
    lost = serializers.IntegerField(help_text="Cases whose scan was deleted.")


class CommissioningSerializer(serializers.ModelSerializer[Commissioning]):
    """One commissioning."""

    team = serializers.IntegerField(source="team_id", read_only=True)
    model = serializers.CharField(source="model_name", read_only=True)
    limits = serializers.JSONField(read_only=True, help_text="`shares` by limit, `cases`, and `prevalence`.")
    progress = serializers.SerializerMethodField()
    verdict = serializers.SerializerMethodField(help_text="Null while it is open.")
    report = serializers.SerializerMethodField(help_text="The content of the acceptance report; null while it is open.")
    site_calibration = serializers.SerializerMethodField(
        help_text="Whether the site calibration is switched on; null if there is none."
    )

    class Meta:
        model = Commissioning
        fields = (
            *("id", "team", "title", "model", "model_version", "limits", "started_at"),
            *("progress", "verdict", "report", "site_calibration"),
        )
        read_only_fields = fields

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, row: Commissioning) -> Any:
        """Return the counts of the cases."""
        return ProgressSerializer(progress_of(row)).data

    @extend_schema_field(serializers.ChoiceField(choices=[str(verdict) for verdict in Verdict], allow_null=True))
    def get_verdict(self, row: Commissioning) -> str | None:
        """Return the verdict of the report."""
        report = acceptance_of(row)
        return None if report is None else str(report.content["verdict"])

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_report(self, row: Commissioning) -> dict[str, Any] | None:
        """Return the content of the report."""
        report = acceptance_of(row)
        return None if report is None else report.content

    @extend_schema_field(serializers.BooleanField(allow_null=True))
    def get_site_calibration(self, row: Commissioning) -> bool | None:
        """Return whether the site calibration is on."""
        site = site_calibration_of(row)
        return None if site is None else site.active


class NewCaseSerializer(serializers.Serializer[Any]):
    """A scan of the team, with what it shows."""

    scan = serializers.UUIDField()
    finding = serializers.ChoiceField(
        choices=READINGS,
        required=False,
        help_text="Without it, the confirmed diagnosis or the newest review counts.",
    )


class NewCasesSerializer(serializers.Serializer[Any]):
    """Scans that become cases."""

    cases = serializers.ListField(child=NewCaseSerializer(), min_length=1, max_length=MAX_NEW_CASES)


class AddedSerializer(serializers.Serializer[Any]):
    """The outcome of adding cases."""

    added = serializers.IntegerField(source="number")
    problems = serializers.ListField(
        child=serializers.CharField(), help_text="A sentence for each case that was not added."
    )


class SignedReportSerializer(serializers.Serializer[Any]):
    """An acceptance report with its signature (Ed25519), which `manage.py acceptance` verifies."""

    report = serializers.DictField(help_text="Counts and figures.")
    signature = serializers.CharField(help_text="Of the report as JSON with sorted keys and without spaces.")
    public_key = serializers.CharField(help_text="Of the installation that signed it.")


class SwitchSerializer(serializers.Serializer[Any]):
    """Whether the site calibration applies."""

    active = TrueOrFalse()
