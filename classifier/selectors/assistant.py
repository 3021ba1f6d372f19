"""The scoreboard of the providers of language models, for staff: sums from stored rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from classifier.assistant_figures import Entry, Figures, figures_of
from classifier.models import AssistantTrial, Explanation, PictureCheck
from classifier.wording import percent

# The newest of a provider's model: enough for a share, and read in one query.
MOST_COUNTED = 1000
IN_USE, ON_SAMPLES = "Explanations of people", "Samples"


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one model of one provider.

    Attributes:
        provider: the provider's name.
        model: the model.
        source: `IN_USE` or `ON_SAMPLES`.
        first: time of the oldest explanation that counts.
        last: time of the newest one.
        figures: The figures.
    """

    provider: str
    model: str
    source: str
    first: datetime
    last: datetime
    figures: Figures

    @property
    def on_blank(self) -> str:
        """The share of statements that the model said of a blank picture, with their number."""
        return _share(self.figures.on_blank, self.figures.statements)

    @property
    def unchanged(self) -> str:
        """The share of statements that did not change with the picture, with their number."""
        return _share(self.figures.not_from_picture, self.figures.statements)


def scores() -> list[Score]:
    """Return the scoreboard: for each model of each provider its figures in use, and its newest trial on the samples.

    Explanations that were deleted with their scans do not count.
    """
    finished = Explanation.objects.exclude(model="").exclude(state__in=Explanation.ACTIVE)
    pairs = finished.order_by("provider", "model").values_list("provider", "model").distinct()
    found = [_in_use(provider, model) for provider, model in pairs]
    newest: dict[tuple[str, str], AssistantTrial] = {}
    for trial in AssistantTrial.objects.order_by("finished_at", "pk"):
        newest[trial.provider, trial.model] = trial
    found += [
        Score(trial.provider, trial.model, ON_SAMPLES, trial.started_at, trial.finished_at, Figures(**trial.figures))
        for trial in newest.values()
    ]
    return sorted(found, key=lambda score: (score.provider, score.model, score.source))


def _in_use(provider: str, model: str) -> Score:
    rows = Explanation.objects.filter(provider=provider, model=model).exclude(state__in=Explanation.ACTIVE)
    # A row without an attempt was never sent.
    counted = list(rows.filter(attempts__gt=0).select_related("picture_check").order_by("-created_at")[:MOST_COUNTED])
    times = [row.created_at for row in counted] or [row.created_at for row in rows[:1]]
    return Score(provider, model, IN_USE, min(times), max(times), figures_of(_entries(counted)))


def _entries(rows: Iterable[Explanation]) -> Iterable[Entry]:
    for row in rows:
        check = row.second_look
        ended = check is not None and check.state == PictureCheck.State.SUCCEEDED
        judged = check.statements if check is not None and ended else ()
        yield Entry(
            failed=row.state == Explanation.State.FAILED and not row.blocked,
            blocked=row.blocked,
            marks=[(each["mark"], each.get("reason", "")) for each in judged],
            check_failed=check is not None and check.is_finished and bool(check.failure_message),
            seconds=None if row.seconds is None else row.seconds + ((check and check.seconds) or 0.0),
            tokens=row.input_tokens + row.output_tokens + (check.input_tokens + check.output_tokens if check else 0),
        )


def _share(part: int, whole: int) -> str:
    return f"{percent(part / whole)} of {whole}" if whole else "none checked"
