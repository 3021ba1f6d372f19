"""REST view of the measured images on which two models disagree. They are the same for everyone who is signed in."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.base import PrivateView
from classifier.api.fields import TextField
from classifier.api.queries import QuerySerializer
from classifier.api.schema import RETRY_AFTER, errors
from classifier.comparison.disagreements import disagreements_of
from classifier.selectors.comparison import compared_model, protocols_of

MAX_ITEMS = 500
"""As many as fit a response of some hundred kilobytes; the evaluation files hold all."""


class DisagreementsQuery(QuerySerializer):
    """The evaluation that is read."""

    protocol = TextField(max_length=64, help_text="By default the first one under which both models were measured.")


class DisagreementSerializer(serializers.Serializer[Any]):
    """One image with different answers."""

    set = serializers.CharField(source="part", help_text="The images that it belongs to.")
    # The base class has a property of that name.
    source = serializers.CharField(help_text="Where the picture came from.")  # type: ignore[assignment]
    file = serializers.CharField(help_text="Its path in its data folder.")
    truth = serializers.CharField(
        allow_blank=True, help_text="What it shows; `tumor` for one of unknown kind, empty for another disease."
    )
    answers = serializers.ListField(
        child=serializers.CharField(), help_text="Of the two models, in order; `not_brain_mri` where one refused it."
    )
    probabilities = serializers.ListField(
        child=serializers.FloatField(allow_null=True), help_text="Of the answers; null where the image was refused."
    )


class DisagreementsSerializer(serializers.Serializer[Any]):
    """The images on which two models disagree."""

    models = serializers.ListField(child=serializers.CharField(), help_text="The two names, in order.")
    protocol = serializers.CharField()
    images = serializers.IntegerField(help_text="Images that both were measured on.")
    disagreements = serializers.IntegerField(help_text="Those with different answers.")
    first_right = serializers.IntegerField(help_text="Those where only the first model is right.")
    second_right = serializers.IntegerField(help_text="Those where only the second model is right.")
    both_right = serializers.IntegerField(
        help_text="Those where both are right: they name different kinds of a tumor whose kind is not known."
    )
    items = DisagreementSerializer(
        many=True, help_text=f"The most certain answers first, at most {MAX_ITEMS}. Pictures are on the page."
    )


class DisagreementsView(PrivateView):
    """The disagreements of two models."""

    @extend_schema(
        operation_id="v1_models_disagreements",
        parameters=[DisagreementsQuery, RETRY_AFTER],
        responses={200: DisagreementsSerializer}
        | errors(400, status_404="There is no such model, or no evaluation that both share."),
    )
    def get(self, request: Request, name: str, other: str) -> Response:
        """Return the measured images on which two models disagree."""
        query = DisagreementsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        first, second = compared_model(name), compared_model(other)
        if first is None or second is None or name == other:
            raise Http404
        shared = [name for name in protocols_of([first]) if all(m.has_predictions(name) for m in (first, second))]
        protocol = query.validated_data.get("protocol") or next(iter(shared), "")
        if protocol not in shared:
            raise Http404
        found = disagreements_of(first.evaluations[protocol], second.evaluations[protocol])
        values = {
            "models": [name, other],
            "protocol": protocol,
            "images": found.both,
            "disagreements": len(found.items),
            "first_right": found.first_right,
            "second_right": found.second_right,
            "both_right": found.both_right,
            "items": found.items[:MAX_ITEMS],
        }
        return Response(DisagreementsSerializer(values).data)
