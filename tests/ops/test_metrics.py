"""The samples that Prometheus reads, and what they cost."""

import re
import time
import tomllib
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from classifier.ops import metrics
from classifier.queue.heartbeat import HEARTBEAT_TIMEOUT
from classifier.services.installation import record_backup
from classifier.worker.measurements import Measurements
from devtools.running import ROOT
from tests.factories import make_analysis, make_scan, make_worker_process

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch) -> None:
    """No test reuses the counts of another."""
    monkeypatch.setattr(metrics, "_finished", metrics.FinishedCounts())


def scrape(client: Client | None = None) -> dict[tuple[str, frozenset], float]:
    """Every sample by its name and labels, read as Prometheus would; a sample that is there twice fails."""
    response = (client or Client()).get("/metrics")
    assert response.status_code == 200
    samples: dict[tuple[str, frozenset], float] = {}
    for family in text_string_to_metric_families(response.content.decode()):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, f"twice: {key}"
            samples[key] = sample.value
    return samples


def value(samples: dict, name: str, **labels: str) -> float:
    return samples[(name, frozenset(labels.items()))]


def measured() -> dict:
    """What a worker measures that has had a batch of four and one of one, and one error."""
    measurements = Measurements()
    for images, seconds in ((4, 0.4), (1, 0.1)):
        measurements.batch_size.observe(images)
        measurements.forward_seconds.observe(seconds)
        measurements.decode_seconds.observe(0.003)
        measurements.write_seconds.observe(40)
    measurements.count("succeeded", number=4)
    measurements.count("released")
    return measurements.as_dict()


# --- the samples --------------------------------------------------------------------------------------------------


def test_the_format_is_the_one_that_every_prometheus_reads():
    response = Client().get("/metrics")
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "no-store" in response["Cache-Control"]


def test_a_new_installation_reports_zeros():
    samples = scrape()
    assert value(samples, "brainscan_queue_depth", state="queued") == 0
    assert value(samples, "brainscan_queue_depth", state="running") == 0
    assert value(samples, "brainscan_queue_oldest_seconds") == 0
    assert value(samples, "brainscan_queue_expired_leases") == 0
    assert value(samples, "brainscan_queue_attempts", attempts="3") == 0
    assert value(samples, "brainscan_finished_analyses", state="failed", attempts="3") == 0
    assert value(samples, "brainscan_workers") == 0


def test_the_queue_and_what_has_ended(owner):
    there = {("queued", 0): 3, ("queued", 1): 1, ("running", 2): 2}
    ended = {("succeeded", 1): 4, ("failed", 3): 1, ("cancelled", 0): 1}
    for (state, attempts), number in (there | ended).items():
        for _ in range(number):
            make_analysis(make_scan(owner), state=state, attempts=attempts)
    samples = scrape()
    assert value(samples, "brainscan_queue_depth", state="queued") == 4
    assert value(samples, "brainscan_queue_depth", state="running") == 2
    assert [value(samples, "brainscan_queue_attempts", attempts=n) for n in "0123"] == [3, 1, 2, 0]
    assert 0 < value(samples, "brainscan_queue_oldest_seconds") < 60
    assert value(samples, "brainscan_finished_analyses", state="succeeded", attempts="1") == 4
    assert value(samples, "brainscan_finished_analyses", state="failed", attempts="3") == 1
    assert value(samples, "brainscan_finished_analyses", state="cancelled", attempts="0") == 1


def test_a_worker_reports_its_histograms_and_counts():
    make_worker_process(host="gpu-1", pid=7, engine="keras", model_version="1.2.0", measurements=measured())
    samples = scrape()
    worker = {"worker": "gpu-1:7"}
    assert value(samples, "brainscan_workers") == 1
    model = {"model": "xception", "version": "1.2.0", "engine": "keras"}
    assert value(samples, "brainscan_worker_info", **worker, **model) == 1
    assert value(samples, "brainscan_worker_analyses_total", **worker, result="succeeded") == 4
    assert value(samples, "brainscan_worker_analyses_total", **worker, result="released") == 1
    assert value(samples, "brainscan_worker_batch_size_bucket", **worker, le="1.0") == 1
    assert value(samples, "brainscan_worker_batch_size_bucket", **worker, le="4.0") == 2
    assert value(samples, "brainscan_worker_batch_size_sum", **worker) == 5
    assert value(samples, "brainscan_worker_forward_seconds_count", **worker) == 2
    assert value(samples, "brainscan_worker_forward_seconds_sum", **worker) == pytest.approx(0.5)
    assert value(samples, "brainscan_worker_forward_seconds_bucket", **worker, le="0.1") == 1
    # Longer than the highest bound: only the last bucket, which holds all, counts it.
    assert value(samples, "brainscan_worker_write_seconds_bucket", **worker, le="30.0") == 0
    assert value(samples, "brainscan_worker_write_seconds_bucket", **worker, le="+Inf") == 2
    assert value(samples, "brainscan_worker_queued_seconds_count", **worker) == 0


def test_every_histogram_of_a_worker_is_reported():
    make_worker_process(measurements=measured())
    told = {name for name, _ in scrape()}
    assert {f"brainscan_worker_{name}_bucket" for name in measured() if name != "finished"} <= told


def test_a_worker_that_has_measured_nothing_yet_is_there():
    make_worker_process(host="new", pid=1)
    samples = scrape()
    assert value(samples, "brainscan_workers") == 1
    assert not [name for name, _ in samples if name.endswith("_bucket")]


def test_a_worker_without_a_recent_heartbeat_is_left_out():
    make_worker_process(host="dead", pid=1, silent_seconds=HEARTBEAT_TIMEOUT + 1, measurements=measured())
    make_worker_process(host="alive", pid=1, measurements=measured())
    samples = scrape()
    assert value(samples, "brainscan_workers") == 1
    assert {dict(labels)["worker"] for _, labels in samples if "worker" in dict(labels)} == {"alive:1"}


def test_a_container_that_was_killed_and_started_again_is_one_worker():
    """Its host name and process number are those of the process before, whose last report is a few seconds old."""
    make_worker_process(host="c0ffee", pid=1, silent_seconds=4, measurements=measured())
    make_worker_process(host="c0ffee", pid=1)
    make_worker_process(host="c0ffee", pid=2)
    samples = scrape()
    assert value(samples, "brainscan_workers") == 2
    assert not [name for name, _ in samples if name.endswith("_bucket")]


def test_labels_contain_nothing_about_patients_or_people(owner, team):
    scan = make_scan(owner, team=team, patient_reference="P-4711", notes="Frau Mustermann")
    make_analysis(scan, state="running")
    make_analysis(make_scan(owner), state="failed", failure_message="Mustermann")
    make_worker_process(measurements=measured())
    text = Client().get("/metrics").content.decode()
    assert not re.search(rf"P-4711|Mustermann|{owner.username}|{team.name}|{scan.pk}", text)
    known = {"state", "attempts", "worker", "result", "le", "model", "version", "engine", "python"}
    assert {name for _, labels in scrape() for name, _ in labels} == known


def test_names_follow_the_conventions(owner):
    make_worker_process(measurements=measured())
    text = Client().get("/metrics").content.decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    assert all(name.startswith("brainscan_") for name in kinds)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())
    assert not [name for name in kinds if re.search("milli|minutes|hours", name)]


def test_the_version_is_the_projects():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    [build] = [dict(labels) for name, labels in scrape() if name == "brainscan_build_info"]
    assert build["version"] == version


def test_the_last_backup_is_a_metric_once_there_is_one():
    name = "brainscan_last_backup_timestamp_seconds"
    assert name not in {key for key, _ in scrape()}
    record_backup({"at": "2026-11-02T03:04:05+00:00", "path": "/srv/b.tar", "scans": 7, "missing": 0})
    assert value(scrape(), name) == 1793588645


# --- what it costs ------------------------------------------------------------------------------------------------


def test_a_scrape_is_four_queries_however_much_there_is(owner, django_assert_num_queries):
    for state in ("queued", "running", "succeeded", "failed"):
        for attempts in (1, 2):
            make_analysis(make_scan(owner), state=state, attempts=attempts)
    for _ in range(3):
        make_worker_process(measurements=measured())
    with django_assert_num_queries(4):
        scrape()


def test_counting_what_has_ended_takes_a_hundredth_of_the_time_at_most(monkeypatch, django_assert_num_queries):
    """Two seconds of counting are a hundredth of two hundred."""
    now, counted = 1000.0, []

    def count() -> dict:
        nonlocal now
        now += 2
        counted.append(now)
        return {("succeeded", 1): len(counted)}

    monkeypatch.setattr(metrics, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(metrics, "finished_counts", count)
    name, labels = "brainscan_finished_analyses", {"state": "succeeded", "attempts": "1"}
    assert value(scrape(), name, **labels) == 1
    now = 1000.0 + 199
    with django_assert_num_queries(3):
        assert value(scrape(), name, **labels) == 1
    now = 1000.0 + 200
    assert value(scrape(), name, **labels) == 2


def test_recent_ends_are_reported_where_counting_is_quick(owner):
    name, labels = "brainscan_finished_analyses", {"state": "succeeded", "attempts": "1"}
    assert value(scrape(), name, **labels) == 0
    make_analysis(make_scan(owner), state="succeeded")
    deadline = time.monotonic() + 30
    while value(scrape(), name, **labels) == 0:
        assert time.monotonic() < deadline


def test_concurrent_scrapes_report_the_last_counts(monkeypatch):
    counts = metrics.FinishedCounts()
    asked_meanwhile = []

    def count() -> dict:
        asked_meanwhile.append(counts.read())
        return {("failed", 3): 1}

    monkeypatch.setattr(metrics, "finished_counts", count)
    assert counts.read() == {("failed", 3): 1}
    assert asked_meanwhile == [None]


def test_an_unavailable_database_is_answered_with_503(monkeypatch, caplog):
    def away() -> None:
        raise OperationalError("connection to 10.0.0.7 refused")

    monkeypatch.setattr(metrics, "queue_state", away)
    response = Client().get("/metrics")
    assert response.status_code == 503
    assert response.content.decode() == "The database is unavailable.\n"
    assert "10.0.0.7" in caplog.text
