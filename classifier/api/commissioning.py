"""REST views of commissionings. While one is open, no answer of its shadow analyses is part of a response."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.acceptance.limits import BY_KEY, InvalidLimits, Limits
from classifier.api.base import PrivateView
from classifier.api.commissioning_serializers import (
    AddedSerializer,
    CommissioningSerializer,
    NewCasesSerializer,
    NewCommissioningSerializer,
    SignedReportSerializer,
    SwitchSerializer,
)
from classifier.api.parsers import JSONParser
from classifier.api.reports import caller
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import Commissioning, Team
from classifier.selectors.acceptance import acceptance_of
from classifier.selectors.commissioning import commissionings_of, get_commissioning
from classifier.selectors.scan import visible_scans
from classifier.selectors.team import get_team
from classifier.services.acceptance import close_commissioning, switch_site_calibration
from classifier.services.commissioning import start_commissioning
from classifier.services.commissioning_cases import NewCase, add_cases
from classifier.services.errors import Invalid, NotFound

OWNERS_ONLY = "The caller is not an owner of the team, or the session has no CSRF token."


class CommissioningView(PrivateView):
    """Base of the views."""

    parser_classes = (JSONParser,)

    def found(self, request: Request, pk: UUID) -> Commissioning:
        """Return a commissioning of one of the caller's teams. Raise `Http404` for any other."""
        try:
            return get_commissioning(caller(request), pk)
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
        return Response(CommissioningSerializer(commissionings_of(caller(request)), many=True).data)

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
            team = get_team(caller(request), values["team"])
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
            team, by=caller(request), model=values["model"], limits=limits, title=values.get("title", "")
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
            status_409="The commissioning is closed, or its model version is no longer installed.",
        ),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Add scans of the team as cases, and queue their shadow analyses."""
        commissioning = self.found(request, pk)
        fields = NewCasesSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data["cases"]
        scans = {scan.pk: scan for scan in visible_scans(caller(request)).with_keys([case["scan"] for case in wanted])}
        unknown = [f"{case['scan']}: there is no such scan." for case in wanted if case["scan"] not in scans]
        cases = [
            NewCase(scans[case["scan"]], case.get("finding", ""), str(case["scan"]))
            for case in wanted
            if case["scan"] in scans
        ]
        added = add_cases(commissioning, by=caller(request), cases=cases)
        return Response({"added": added.number, "problems": [*unknown, *map(str, added.problems)]})


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
        close_commissioning(commissioning, by=caller(request))
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
            status_409="There is no site calibration, or its model version is no longer installed.",
        ),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Switch the site calibration on or off, for scans that are analyzed from now on."""
        commissioning = self.found(request, pk)
        fields = SwitchSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        switch_site_calibration(commissioning, by=caller(request), on=fields.validated_data["active"])
        return Response(CommissioningSerializer(commissioning).data)


class AcceptanceReportView(CommissioningView):
    """The signed acceptance report."""

    @extend_schema(
        operation_id="v1_commissionings_acceptance",
        parameters=[RETRY_AFTER],
        responses={200: SignedReportSerializer} | errors(status_404="There is no such commissioning, or it is open."),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the signed report: counts and figures, without any identifier of a scan, patient, or person."""
        report = acceptance_of(self.found(request, pk))
        if report is None:
            raise Http404
        return Response(report.signed)
