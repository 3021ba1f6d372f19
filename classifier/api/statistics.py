"""Statistics in the API: the caller's own figures, sums of teams, and the network's accuracy on confirmed diagnoses."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.analysis_serializers import probability
from classifier.api.base import PrivateView
from classifier.api.fields import IsoDateField, OwnTeamField, TextField
from classifier.api.queries import QuerySerializer
from classifier.api.schema import RETRY_AFTER, errors
from classifier.api.statistics_data import statistics_data
from classifier.findings import ANSWERS, FINDING_LABELS, OUTCOME_LABELS
from classifier.models import lengths
from classifier.models.review import READING_CHOICES
from classifier.reading_agreement import MIN_DIAGNOSES
from classifier.reading_figures import MIN_READERS
from classifier.selectors.statistics import StatisticsFilter, statistics

ANSWER_CHOICES = [*((name, FINDING_LABELS[name]) for name in ANSWERS), *OUTCOME_LABELS.items()]
MONTH = "Month of the upload, `YYYY-MM`."
WITHHELD = f"Null if fewer than {MIN_READERS} readers contribute."


class StatisticsQuery(QuerySerializer):
    """The scans that `GET statistics/` counts."""

    team = OwnTeamField(required=False, help_text="The number of one of the caller's teams.")
    uploaded_after = IsoDateField(required=False, help_text="The earliest day of the upload, inclusive.")
    uploaded_before = IsoDateField(required=False, help_text="The latest day of the upload, inclusive.")
    model = TextField(
        max_length=lengths.MODEL_AND_VERSION,
        help_text="A model version as `name:version`, one of `models`. Without it, the newest answer of a scan counts.",
    )


class ShareSerializer(serializers.Serializer[Any]):
    """A part of some cases with its 95% Wilson interval. The interval is null without cases."""

    count = serializers.IntegerField(min_value=0, read_only=True)
    total = serializers.IntegerField(min_value=0, read_only=True)
    value = probability(allow_null=True)
    low = probability(allow_null=True)
    high = probability(allow_null=True)


class KappaSerializer(serializers.Serializer[Any]):
    """Cohen's kappa with its 95% interval, which is null where all cases agree."""

    value = serializers.FloatField(min_value=-1, max_value=1, read_only=True)
    low = serializers.FloatField(min_value=-1, max_value=1, read_only=True, allow_null=True)
    high = serializers.FloatField(min_value=-1, max_value=1, read_only=True, allow_null=True)


class AgreementSerializer(serializers.Serializer[Any]):
    """Agreement of two readings of the same cases."""

    share = ShareSerializer(read_only=True, help_text="Cases in which both readings are the same.")
    kappa = KappaSerializer(read_only=True, allow_null=True, help_text="Null where it is not defined.")


class FlipsSerializer(serializers.Serializer[Any]):
    """First reads and second judgments where the diagnosis is known."""

    stayed_right = serializers.IntegerField(min_value=0, read_only=True)
    stayed_wrong = serializers.IntegerField(min_value=0, read_only=True)
    to_right = serializers.IntegerField(min_value=0, read_only=True, help_text="Wrong before, right after.")
    to_wrong = serializers.IntegerField(min_value=0, read_only=True, help_text="Right before, wrong after.")
    open = serializers.IntegerField(min_value=0, read_only=True, help_text="The second judgment names no finding.")


class ByAnswerSerializer(serializers.Serializer[Any]):
    """Agreement of reviews with one answer of the network."""

    name = serializers.ChoiceField(choices=ANSWER_CHOICES, read_only=True)
    share = ShareSerializer(read_only=True, allow_null=True, help_text=WITHHELD)


class ByMonthSerializer(serializers.Serializer[Any]):
    """Agreement of reviews in one month."""

    name = serializers.CharField(read_only=True, help_text=MONTH)
    share = ShareSerializer(read_only=True, allow_null=True, help_text=WITHHELD)


class FlipsByDiagnosisSerializer(serializers.Serializer[Any]):
    """Flips of scans with one diagnosis."""

    name = serializers.ChoiceField(choices=READING_CHOICES, read_only=True)
    flips = FlipsSerializer(read_only=True, allow_null=True, help_text=WITHHELD)


class FlipsByMonthSerializer(serializers.Serializer[Any]):
    """Flips in one month."""

    name = serializers.CharField(read_only=True, help_text=MONTH)
    flips = FlipsSerializer(read_only=True, allow_null=True, help_text=WITHHELD)


class ReaderFiguresSerializer(serializers.Serializer[Any]):
    """Figures about one reader, or about several combined. Of several reviews of an analysis the last one counts."""

    readers = serializers.IntegerField(min_value=0, read_only=True)
    reviews = AgreementSerializer(
        read_only=True, allow_null=True, help_text=f"Reviews compared with the network's answer. {WITHHELD}"
    )
    reviews_by_answer = ByAnswerSerializer(many=True, read_only=True)
    reviews_by_month = ByMonthSerializer(many=True, read_only=True)
    first_reads = AgreementSerializer(
        read_only=True,
        allow_null=True,
        help_text=f"First reads compared with the answer that followed. {WITHHELD}",
    )
    changed = ShareSerializer(
        read_only=True, allow_null=True, help_text=f"First reads that changed after the answer. {WITHHELD}"
    )
    flips = FlipsSerializer(read_only=True, allow_null=True, help_text=WITHHELD)
    flips_by_diagnosis = FlipsByDiagnosisSerializer(many=True, read_only=True)
    flips_by_month = FlipsByMonthSerializer(many=True, read_only=True)
    between_reviews = AgreementSerializer(
        read_only=True, help_text="Last reviews of the same scan by its first two readers."
    )
    between_first_reads = AgreementSerializer(
        read_only=True, help_text="First reads of the same scan by its first two readers."
    )


class FindingAccuracySerializer(serializers.Serializer[Any]):
    """The network's performance on one finding. `tumor` is a tumor of any kind."""

    finding = serializers.ChoiceField(choices=[(name, FINDING_LABELS[name]) for name in ANSWERS], read_only=True)
    sensitivity = ShareSerializer(read_only=True)
    specificity = ShareSerializer(read_only=True)


class AccuracySerializer(serializers.Serializer[Any]):
    """The network's answers compared with diagnoses that histology or follow-up imaging confirmed."""

    diagnoses = serializers.IntegerField(min_value=0, read_only=True, help_text="Scans with a confirmed diagnosis.")
    without_finding = serializers.IntegerField(
        min_value=0, read_only=True, help_text="Those whose answer names no finding. They lower the sensitivity."
    )
    findings = FindingAccuracySerializer(
        many=True, read_only=True, help_text=f"Empty with fewer than {MIN_DIAGNOSES} diagnoses."
    )


class StatisticsSerializer(serializers.Serializer[Any]):
    """Figures that the caller may see. Scans that are closed to the caller are not counted."""

    models = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="The model versions that occur, as `name:version`."
    )
    own = ReaderFiguresSerializer(read_only=True, help_text="The caller's own figures. Nobody else sees them.")
    team = ReaderFiguresSerializer(
        read_only=True,
        allow_null=True,
        help_text="The sum of all readers of the team, or of all the caller's teams; null without a team.",
    )
    accuracy = AccuracySerializer(read_only=True)
    sampled_scans = serializers.IntegerField(
        read_only=True,
        allow_null=True,
        help_text="Number of scans, drawn at random, that `team` and `accuracy` count; null if all were counted.",
    )
    sampled_own_scans = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="The same for `own`: scans that the caller has read."
    )


class StatisticsView(PrivateView):
    """Statistics of readings."""

    @extend_schema(
        operation_id="statistics_retrieve",
        parameters=[StatisticsQuery, RETRY_AFTER],
        responses={200: StatisticsSerializer} | errors(400),
    )
    def get(self, request: Request) -> Response:
        """Return agreement, first reads, and accuracy of the scans that are open to the caller."""
        query = StatisticsQuery(data=request.query_params, context={"request": request})
        query.is_valid(raise_exception=True)
        figures = statistics(request.user, StatisticsFilter(**query.validated_data))  # type: ignore[arg-type]
        return Response(statistics_data(figures))
