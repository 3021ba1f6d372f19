"""The API's representations of models and of their figures."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from classifier.comparison.differences import Difference
from classifier.comparison.figures import Figure, confusion_of
from classifier.findings import FINDINGS
from classifier.selectors.comparison import ComparedModel, compared_models, differences


class FigureSerializer(serializers.Serializer[Figure]):
    """One figure with its 95% interval, resampled by patient."""

    set = serializers.CharField(source="part.key", help_text="The images that it was measured on.")
    measure = serializers.CharField(source="measure.key", help_text="What was measured.")
    description = serializers.CharField(source="measure.label", help_text="What was measured, for people.")
    value = serializers.FloatField()
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the interval; null without one.")
    high = serializers.FloatField(allow_null=True, help_text="Upper end.")
    higher_is_better = serializers.BooleanField(source="measure.higher_is_better")
    images = serializers.IntegerField()
    patients = serializers.IntegerField(
        help_text="Patients, or clusters of near-duplicates, that were resampled; 0 if unknown."
    )


class ProtocolSerializer(serializers.Serializer[Any]):
    """The figures of a model under one protocol."""

    protocol = serializers.CharField()
    version = serializers.CharField(help_text="The version that was measured.")
    outdated = serializers.BooleanField(help_text="Whether other weights are installed than those that were measured.")
    run = serializers.CharField(
        allow_blank=True,
        help_text="The run that was measured, if its weights are not those of the model and not shipped; else empty.",
    )
    date = serializers.CharField(help_text="The day of the evaluation.")
    figures = FigureSerializer(many=True)


class CostsSerializer(serializers.Serializer[Any]):
    """The costs of a model; null where nothing was measured."""

    parameters = serializers.IntegerField(allow_null=True)
    file_bytes = serializers.IntegerField()
    evaluation_ms = serializers.FloatField(
        allow_null=True, help_text="Median milliseconds of one image in the evaluation."
    )
    evaluation_engine = serializers.CharField(allow_blank=True)
    bench_ms = serializers.FloatField(
        allow_null=True, help_text="Median milliseconds of one analysis in the benchmark of these weights."
    )
    bench_mebibytes = serializers.FloatField(allow_null=True)
    bench_engine = serializers.CharField(allow_blank=True)
    bench_model = serializers.CharField(
        allow_blank=True,
        help_text="Model and version of the benchmark: the same weights, maybe calibrated otherwise.",
    )
    bench_date = serializers.CharField(allow_blank=True, help_text="The day of the benchmark.")
    worker_bytes = serializers.IntegerField(
        allow_null=True, help_text="Memory that a live worker needed for it; null while none has loaded it."
    )


class ModelSerializer(serializers.Serializer[Any]):
    """An installed model."""

    name = serializers.CharField(source="card.name")
    version = serializers.CharField(source="card.version", help_text="The installed version.")
    title = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()
    default = serializers.BooleanField(source="is_default", help_text="Whether it is the installation's default.")
    trained_under = serializers.CharField(help_text="The protocol of its training images; empty if unknown.")
    costs = CostsSerializer()
    protocols = serializers.SerializerMethodField(help_text="Its figures, by protocol.")

    def get_title(self, model: ComparedModel) -> str:
        """Return the title of the card."""
        return str(model.card.details.get("title", ""))

    @extend_schema_field(serializers.URLField())
    def get_url(self, model: ComparedModel) -> str:
        """Return the URL of the model."""
        return reverse("api:model-detail", args=[model.card.name], request=self.context.get("request"))

    @extend_schema_field(ProtocolSerializer(many=True))
    def get_protocols(self, model: ComparedModel) -> list[Any]:
        """Return the figures by protocol."""
        entries = [
            {
                "protocol": protocol,
                "version": model.measured_version(protocol),
                "outdated": model.is_outdated(protocol),
                "run": model.other_run(protocol),
                "date": str(evaluation.figures.get("date", "")),
                "figures": model.figures(protocol),
            }
            for protocol, evaluation in model.evaluations.items()
        ]
        return list(ProtocolSerializer(entries, many=True).data)


class PeriodSerializer(serializers.Serializer[Any]):
    """The analyses of one version in one week, or in all weeks."""

    start = serializers.DateField(help_text="First day of the week.")
    analyses = serializers.IntegerField(help_text="Succeeded analyses.")
    uncertain = serializers.IntegerField()
    refused = serializers.IntegerField(help_text="Images that were refused as not brain MR.")
    confidence = serializers.FloatField(allow_null=True, help_text="Mean confidence of those with a finding.")
    reviews = serializers.IntegerField(help_text="Newest reviews of these analyses, one per reader.")
    agreed = serializers.IntegerField(help_text="Reviews that agree.")
    distance = serializers.FloatField(
        allow_null=True, help_text="Mean distance of the input from the training images; 1 at the limit of refusal."
    )


class ShiftSerializer(serializers.Serializer[Any]):
    """One appearance statistic of the analyzed images against the training images."""

    feature = serializers.CharField()
    training = serializers.FloatField()
    live = serializers.FloatField()
    deviations = serializers.FloatField(help_text="Difference in standard deviations of the training images.")


class SiteShiftSerializer(serializers.Serializer[Any]):
    """One appearance statistic of a team's later images against its own baseline."""

    feature = serializers.CharField()
    baseline = serializers.FloatField(source="training", help_text="Mean of the baseline.")
    live = serializers.FloatField()
    deviations = serializers.FloatField(help_text="Difference in standard deviations of the baseline.")


class SiteWeekSerializer(serializers.Serializer[Any]):
    """A team's images of one week against its own baseline."""

    start = serializers.DateField(help_text="First day of the week.")
    images = serializers.IntegerField()
    shift = serializers.FloatField(
        help_text="Mean shift of the statistics without sign, in standard deviations of the baseline."
    )


class SiteDriftSerializer(serializers.Serializer[Any]):
    """A team's later images against the baseline of its acceptance report."""

    team = serializers.IntegerField(source="commissioning.team_id")
    commissioning = serializers.UUIDField(source="commissioning.pk")
    closed_on = serializers.DateField(help_text="Only images that were analyzed after the closing count.")
    baseline_images = serializers.IntegerField()
    measured = serializers.IntegerField(help_text="Number of later images.")
    shifts = SiteShiftSerializer(many=True, help_text="Empty with too few images on either side.")
    weeks = SiteWeekSerializer(many=True)


class VersionInUseSerializer(serializers.Serializer[Any]):
    """One model version on the scans that are visible and open to the caller."""

    model = serializers.CharField()
    version = serializers.CharField()
    total = PeriodSerializer()
    weeks = PeriodSerializer(many=True)
    shifts = ShiftSerializer(many=True)
    site_drifts = SiteDriftSerializer(
        many=True, help_text="Of each team of the caller with a baseline of this version."
    )
    sampled_scans = serializers.IntegerField(
        allow_null=True,
        help_text="Number of scans, drawn at random, that were counted for all versions; null if all were counted.",
    )


class DifferenceSerializer(serializers.Serializer[Difference]):
    """A paired difference: this model minus the other, on the images that both were measured on."""

    set = serializers.CharField(source="part.key")
    measure = serializers.CharField(source="measure.key")
    difference = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    verdict = serializers.ChoiceField(
        choices=["better", "worse", "unclear"], help_text="`unclear` while the interval contains 0."
    )
    images = serializers.IntegerField()
    patients = serializers.IntegerField()


class ComparisonSerializer(serializers.Serializer[Any]):
    """The differences from another model under one protocol."""

    protocol = serializers.CharField()
    other = serializers.CharField()
    differences = DifferenceSerializer(many=True)


class ConfusionSerializer(serializers.Serializer[Any]):
    """The confusion matrix of the test images of one protocol."""

    protocol = serializers.CharField()
    findings = serializers.ListField(child=serializers.CharField())
    counts = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="Rows are what the images show, columns the most probable finding, in the order of `findings`.",
    )


class ModelDetailSerializer(ModelSerializer):
    """An installed model with its card's texts, its confusion matrices, and its differences from the others."""

    intended_use = serializers.SerializerMethodField()
    not_for = serializers.SerializerMethodField()
    weaknesses = serializers.SerializerMethodField()
    confusion = serializers.SerializerMethodField()
    comparisons = serializers.SerializerMethodField()

    def get_intended_use(self, model: ComparedModel) -> str:
        """Return the intended use that the card states."""
        return str(model.card.details.get("intended_use", ""))

    def get_not_for(self, model: ComparedModel) -> list[str]:
        """Return the uses that the card excludes."""
        return [str(text) for text in model.card.details.get("not_for", ())]

    def get_weaknesses(self, model: ComparedModel) -> list[str]:
        """Return the weaknesses that the card names."""
        return [str(text) for text in model.card.details.get("weaknesses", ())]

    @extend_schema_field(ConfusionSerializer(many=True))
    def get_confusion(self, model: ComparedModel) -> list[dict[str, Any]]:
        """Return the confusion matrix of each protocol."""
        tables = {protocol: confusion_of(evaluation) for protocol, evaluation in model.evaluations.items()}
        return [
            {"protocol": protocol, "findings": list(FINDINGS), "counts": table.tolist()}
            for protocol, table in tables.items()
            if table is not None
        ]

    @extend_schema_field(ComparisonSerializer(many=True))
    def get_comparisons(self, model: ComparedModel) -> list[Any]:
        """Return the differences from every other model under each protocol that both share."""
        entries = [
            {"protocol": protocol, "other": other.card.name, "differences": rows}
            for protocol in model.evaluations
            for other in compared_models()
            if other.card.name != model.card.name and (rows := differences(other, model, protocol=protocol))
        ]
        return list(ComparisonSerializer(entries, many=True).data)
