"""REST views of commissionings. While one is open, no answer of its shadow analyses is part of a response."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.acceptance.limits import (
    BY_KEY,
    DEFAULT_LEAST_CASES,
    LIMITS,
    MAX_CASES,
    InvalidLimits,
    Limits,
    Verdict,
)
from classifier.api.explanations import TrueOrFalse
from classifier.api.fields import TextField, WholeNumberField
from classifier.api.schema import RETRY_AFTER, errors
from classifier.api.views import PrivateView
from classifier.findings import READINGS
from classifier.models import Commissioning, Team, User
from classifier.models.commissioning import MAX_TITLE
from classifier.selectors.acceptance import acceptance_of, site_calibration_of
from classifier.selectors.commissioning import commissionings_of, get_commissioning, progress_of
from classifier.selectors.scan import visible_scans
from classifier.selectors.team import get_team
from classifier.services.acceptance import close_commissioning, switch_site_calibration
from classifier.services.commissioning import start_commissioning
from classifier.services.commissioning_cases import NewCase, add_cases
from classifier.services.errors import Invalid, NotFound

MAX_NEW_CASES = 500
OWNERS_ONLY = "The caller is no owner of the team, or the session has no CSRF token."


class JsonTextField(TextField):
    """Text of a JSON body."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Unlike its base, refuse numbers."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class ShareField(serializers.FloatField):
    """A share in [0, 1], as a JSON number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=1, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        """Return the number. Unlike its base, refuse text and truth values."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return float(super().to_internal_value(data))


class LimitsSerializer(serializers.Serializer[Any]):
    """Limits, each a share in [0, 1]; at least one."""

    def get_fields(self) -> dict[str, Any]:
        """Return a field for each kind of limit."""
        return {limit.key: ShareField(required=False, help_text=f"{limit.label}. {limit.help}") for limit in LIMITS}


class NewCommissioningSerializer(serializers.Serializer[Any]):
    """The start of a commissioning."""

    team = WholeNumberField(min_value=1, help_text="A team that the caller owns.")
    model = JsonTextField(required=True, allow_blank=False, max_length=64, help_text="The name of an installed model.")
    title = JsonTextField(max_length=MAX_TITLE, help_text="For people; by default the model and its version.")
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
    """How far the analyses are. It says nothing of their answers."""

    cases = serializers.IntegerField()
    waiting = serializers.IntegerField()
    succeeded = serializers.IntegerField()
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
    """What became of new cases."""

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
    """Whether the site calibration holds."""

    active = TrueOrFalse()


class CommissioningView(PrivateView):
    """Base of the views."""

    parser_classes = (JSONParser,)

    def found(self, request: Request, pk: UUID) -> Commissioning:
        """Return a commissioning of one of the caller's teams. Raise `Http404` for any other."""
        try:
            return get_commissioning(_user(request), pk)
        except Commissioning.DoesNotExist as error:
            raise Http404 from error


class CommissioningListView(CommissioningView):
    """The commissionings of the caller's teams."""

    @extend_schema(
        operation_id="v1_commissionings_list",
        parameters=[RETRY_AFTER],
        responses={200: CommissioningSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        """List the commissionings of the caller's teams, newest first."""
        return Response(CommissioningSerializer(commissionings_of(_user(request)), many=True).data)

    @extend_schema(
        operation_id="v1_commissionings_create",
        parameters=[RETRY_AFTER],
        request=NewCommissioningSerializer,
        responses={201: OpenApiResponse(CommissioningSerializer, description="The commissioning has started.")}
        | errors(
            *(400, 413, 415),
            status_403=OWNERS_ONLY,
            status_404="The caller has no such team.",
            status_409="A commissioning of this model version is open.",
        ),
    )
    def post(self, request: Request) -> Response:
        """Start a commissioning. Limits and model version never change afterwards."""
        fields = NewCommissioningSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        values = fields.validated_data
        try:
            team = get_team(_user(request), values["team"])
        except Team.DoesNotExist as error:
            raise NotFound("There is no such team.") from error
        try:
            limits = Limits(
                {key: values["limits"][key] for key in BY_KEY if key in values["limits"]},
                least_cases=values["least_cases"],
                prevalence=values["prevalence"],
            )
        except InvalidLimits as error:
            raise Invalid(str(error), code="invalid_limits") from error
        started = start_commissioning(
            team, by=_user(request), model=values["model"], limits=limits, title=values.get("title", "")
        )
        return Response(CommissioningSerializer(started).data, status=status.HTTP_201_CREATED)


class CommissioningDetailView(CommissioningView):
    """One commissioning."""

    @extend_schema(
        operation_id="v1_commissionings_retrieve",
        parameters=[RETRY_AFTER],
        responses={200: CommissioningSerializer} | errors(404),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return a commissioning with its progress and, once it is closed, its acceptance report."""
        return Response(CommissioningSerializer(self.found(request, pk)).data)


class CommissioningCasesView(CommissioningView):
    """The cases of a commissioning."""

    @extend_schema(
        operation_id="v1_commissionings_cases_create",
        parameters=[RETRY_AFTER],
        request=NewCasesSerializer,
        responses={200: AddedSerializer}
        | errors(
            *(400, 404, 413, 415),
            status_403=OWNERS_ONLY,
            status_409="The commissioning is closed, or its model version is not installed any more.",
        ),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Add scans of the team as cases, and queue their shadow analyses."""
        commissioning = self.found(request, pk)
        fields = NewCasesSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data["cases"]
        scans = {scan.pk: scan for scan in visible_scans(_user(request)).with_keys([case["scan"] for case in wanted])}
        unknown = [f"{case['scan']}: there is no such scan." for case in wanted if case["scan"] not in scans]
        cases = [
            NewCase(scans[case["scan"]], case.get("finding", ""), str(case["scan"]))
            for case in wanted
            if case["scan"] in scans
        ]
        added = add_cases(commissioning, by=_user(request), cases=cases)
        return Response({"added": added.number, "problems": [*unknown, *added.problems]})


class CommissioningCloseView(CommissioningView):
    """The end of a commissioning."""

    @extend_schema(
        operation_id="v1_commissionings_close",
        parameters=[RETRY_AFTER],
        request=None,
        responses={200: CommissioningSerializer}
        | errors(404, status_403=OWNERS_ONLY, status_409="It is closed already, or analyses are waiting or running."),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Close a commissioning and make its acceptance report. It cannot be opened again."""
        commissioning = self.found(request, pk)
        close_commissioning(commissioning, by=_user(request))
        return Response(CommissioningSerializer(commissioning).data)


class SiteCalibrationView(CommissioningView):
    """The site calibration of a closed commissioning."""

    @extend_schema(
        operation_id="v1_commissionings_calibration",
        parameters=[RETRY_AFTER],
        request=SwitchSerializer,
        responses={200: CommissioningSerializer}
        | errors(
            *(400, 404, 413, 415),
            status_403=OWNERS_ONLY,
            status_409="There is no site calibration, or its model version is not installed any more.",
        ),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Switch the site calibration on or off, for scans that are analyzed from now on."""
        commissioning = self.found(request, pk)
        fields = SwitchSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        switch_site_calibration(commissioning, by=_user(request), on=fields.validated_data["active"])
        return Response(CommissioningSerializer(commissioning).data)


class AcceptanceReportView(CommissioningView):
    """The signed acceptance report."""

    @extend_schema(
        operation_id="v1_commissionings_acceptance",
        parameters=[RETRY_AFTER],
        responses={200: SignedReportSerializer} | errors(status_404="There is no such commissioning, or it is open."),
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the signed report: counts and figures, without any identifier of a scan, patient, or person."""
        report = acceptance_of(self.found(request, pk))
        if report is None:
            raise Http404
        return Response(report.signed)


def _user(request: Request) -> User:
    user: User = request.user  # type: ignore[assignment]
    return user
