"""The worker's steps, with a stand-in for the network's answers only; the real one runs in `test_processes`."""

from types import SimpleNamespace

import numpy as np
import pytest

from classifier import worker
from classifier.findings import Outcome
from classifier.inference.decision import Decision
from classifier.models import Analysis
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db


class Analyser:
    """Answers for every image; one of `poison`'s mean brightness breaks the batch it is in."""

    card = SimpleNamespace(name="xception", version="9")

    def __init__(self, *, poison: set[float] = frozenset()) -> None:
        self.poison = poison
        self.batches: list[int] = []

    def analyse(self, images):
        self.batches.append(len(images))
        if any(float(image.mean()) in self.poison for image in images):
            raise RuntimeError("the engine broke")
        decision = Decision(Outcome.CLASSIFIED, "glioma", (0.9, 0.05, 0.03, 0.02), 0.9, 0.1)
        maps = np.zeros((10, 10, 4), np.float16)
        return [SimpleNamespace(decision=decision, class_maps=maps, milliseconds=1.0) for _ in images]


@pytest.fixture
def analyser(monkeypatch) -> Analyser:
    double = Analyser()
    monkeypatch.setitem(worker._analysers, "xception", double)
    monkeypatch.setattr(worker, "stopping", worker.Event())
    return double


def states() -> list[str]:
    return sorted(Analysis.objects.values_list("state", flat=True))


def test_the_queue_is_worked_off_in_batches(analyser, owner, settings):
    settings.BATCH_SIZE = 4
    for _ in range(6):
        make_analysis(make_scan(owner))
    assert worker.work_off_queue() == 6
    assert analyser.batches == [4, 2]
    assert states() == ["succeeded"] * 6


def test_one_bad_image_takes_no_other_along(analyser, owner, settings):
    settings.BATCH_SIZE = 8
    scans = [make_scan(owner) for _ in range(5)]
    for scan in scans:
        make_analysis(scan)
    with scans[2].image.open("rb") as file:
        analyser.poison = {float(worker.read_canonical(file.read()).mean())}
    worker.work_off_queue()
    assert states() == ["queued", *["succeeded"] * 4]
    assert Analysis.objects.get(scan=scans[2]).attempts == 1


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_an_unreadable_file_fails_at_once_with_a_sentence(analyser, owner, damage):
    scan = make_scan(owner)
    make_analysis(scan)
    make_analysis(make_scan(owner))
    if damage == "missing":
        scan.image.storage.delete(scan.image.name)
    else:
        with scan.image.storage.open(scan.image.name, "wb") as file:
            file.write(b"garbage")
    worker.work_off_queue()
    row = Analysis.objects.get(scan=scan)
    assert (row.state, row.failure_code) == ("failed", "image_unreadable")
    assert "Upload the file again" in row.failure_message
    assert states() == ["failed", "succeeded"]


def test_a_stopping_worker_takes_nothing(analyser, owner):
    make_analysis(make_scan(owner))
    worker.stopping.set()
    assert worker.work_off_queue() == 0
    assert states() == ["queued"]


def test_an_empty_queue_opens_no_write_transaction(analyser, django_assert_num_queries):
    with django_assert_num_queries(1):
        worker.work_off_queue()
