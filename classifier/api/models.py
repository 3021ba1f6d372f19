"""REST views of the installed models. Their figures are the same for everyone who is signed in."""

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.base import PrivateView
from classifier.api.model_serializers import ModelDetailSerializer, ModelSerializer, VersionInUseSerializer
from classifier.api.schema import RETRY_AFTER, errors
from classifier.selectors.comparison import compared_model, compared_models
from classifier.selectors.in_use import models_in_use


class ModelListView(PrivateView):
    """Every installed model."""

    @extend_schema(operation_id="v1_models_list", parameters=[RETRY_AFTER], responses={200: ModelSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """List the installed models with their figures, the default first."""
        return Response(ModelSerializer(compared_models(), many=True, context={"request": request}).data)


class ModelsInUseView(PrivateView):
    """The models in use."""

    @extend_schema(
        operation_id="v1_models_in_use", parameters=[RETRY_AFTER], responses={200: VersionInUseSerializer(many=True)}
    )
    def get(self, request: Request) -> Response:
        """Return what each model version answered in the last weeks, on the scans that are open to the caller."""
        found = models_in_use(request.user)  # type: ignore[arg-type]
        return Response(VersionInUseSerializer(found, many=True).data)


class ModelDetailView(PrivateView):
    """One installed model."""

    @extend_schema(
        operation_id="v1_models_retrieve",
        parameters=[RETRY_AFTER],
        responses={200: ModelDetailSerializer} | errors(404),
    )
    def get(self, request: Request, name: str) -> Response:
        """Return one model with its confusion matrices and its paired differences from the others."""
        model = compared_model(name)
        if model is None:
            raise Http404
        return Response(ModelDetailSerializer(model, context={"request": request}).data)
