"""Analyses: cancel a queued one."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from classifier.api.analysis_serializers import AnalysisSerializer
from classifier.api.base import PrivateView
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import Analysis
from classifier.selectors.analysis import get_analysis
from classifier.services.analysis import cancel_analysis


class AnalysisViewSet(PrivateView, GenericViewSet[Analysis]):
    """Analyses of visible scans."""

    serializer_class = AnalysisSerializer
    queryset = Analysis.objects.none()  # For the schema; requests read through the selector.

    @extend_schema(
        request=None,
        parameters=[RETRY_AFTER],
        responses={200: AnalysisSerializer}
        | errors(
            404, status_403="The session has no CSRF token.", status_409="The analysis has started or finished already."
        ),
    )
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Cancel a queued analysis."""
        try:
            analysis = get_analysis(request.user, pk)  # type: ignore[arg-type]
        except Analysis.DoesNotExist as error:
            raise Http404 from error
        cancel_analysis(analysis, by=request.user)  # type: ignore[arg-type]
        try:
            analysis.refresh_from_db()
        except Analysis.DoesNotExist as error:
            raise Http404 from error
        return Response(self.get_serializer(analysis).data)
