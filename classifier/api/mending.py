"""REST view that acts on the problems which the input check found in a scan's image."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from classifier.api.base import PrivateView
from classifier.api.parsers import JSONParser
from classifier.api.scan_serializers import ScanSerializer
from classifier.api.schema import RETRY_AFTER, errors
from classifier.inspection import Margins
from classifier.models import Scan, User
from classifier.selectors.scan import get_scan
from classifier.services.mending import accept_input, blank_scan, crop_scan, turn_scan
from classifier.services.scan import Submission

COPIES: dict[str, Callable[..., Submission]] = {"turn": turn_scan, "crop": crop_scan, "blank": blank_scan}
SIDES = ("top", "bottom", "left", "right")
MAX_MARGIN = 90


class MendSerializer(serializers.Serializer[Any]):
    """The action on a scan's image."""

    action = serializers.ChoiceField(
        choices=[*COPIES, "accept"],
        help_text="`turn` makes an upright copy. `crop` makes a copy without the borders that hold text. `blank` makes "
        "a copy without text and markings, and deletes the scan with its image. `accept` records that the image is "
        "right as it is; a withheld answer then shows.",
    )
    top, bottom, left, right = (
        serializers.IntegerField(
            required=False,
            min_value=0,
            max_value=MAX_MARGIN,
            help_text=f"Percent to cut off at the {side}, with `crop`. Without any side, the margins that hold the "
            "text outside the head are cut off.",
        )
        for side in SIDES
    )


class MendViewSet(PrivateView, GenericViewSet[Scan]):
    """Mend or accept the image of a visible scan."""

    serializer_class = ScanSerializer
    queryset = Scan.objects.none()  # For the schema; requests read through the selector.
    parser_classes = (JSONParser,)
    pagination_class = None
    filterset_class = None

    @extend_schema(
        request=MendSerializer,
        parameters=[RETRY_AFTER],
        responses={
            200: OpenApiResponse(ScanSerializer, description="The image is accepted. The body is the scan."),
            201: OpenApiResponse(
                ScanSerializer, description="The copy is stored and its analysis queued. The body is the copy."
            ),
        }
        | errors(
            *(400, 404, 413, 415, 422, 503, 507),
            status_403="The caller is not the owner of the scan, or the session has no CSRF token.",
            status_409="The input check found nothing that this action mends (`nothing_to_mend`), a crop cuts off "
            "nothing (`no_margins`) or leaves too little (`too_little_left`), or reviews or "
            "reports refer to the image.",
        ),
    )
    def mend(self, request: Request, pk: UUID) -> Response:
        """Turn the image, crop it, blank out its text, or accept it as it is.

        Only the owner turns, crops, and blanks. Turning again returns the copy that the first request made.
        """
        user: User = request.user  # type: ignore[assignment]
        # Check this first: a stranger must not learn from another answer that the scan exists.
        scan = self._scan(user, pk)
        fields = MendSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        action = fields.validated_data["action"]
        if action == "accept":
            accept_input(scan, by=user)
            return self._shown(self._scan(user, pk), status.HTTP_200_OK)
        sides = {side: fields.validated_data[side] for side in SIDES if side in fields.validated_data}
        options = {"margins": Margins(**sides)} if action == "crop" and sides else {}
        copy = COPIES[action](scan, by=user, **options).scan
        return self._shown(self._scan(user, copy.pk), status.HTTP_201_CREATED)

    def _scan(self, user: User, scan_id: UUID) -> Scan:
        try:
            return get_scan(user, scan_id)
        except Scan.DoesNotExist as error:
            raise Http404 from error

    def _shown(self, scan: Scan, code: int) -> Response:
        return Response(ScanSerializer(scan, context=self.get_serializer_context()).data, status=code)
