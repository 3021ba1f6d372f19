"""What administrators see of the workers and of the queue."""

import re

import pytest

from classifier.queue.heartbeat import HEARTBEAT_TIMEOUT
from classifier.wording import NBSP
from classifier.worker.measurements import Measurements
from tests.factories import make_analysis, make_scan, make_worker_process

pytestmark = pytest.mark.django_db
WORKERS = "/admin/classifier/workerprocess/"


def measured() -> dict:
    measurements = Measurements()
    for images, seconds in ((4, 0.5), (1, 0.3)):
        measurements.batch_size.observe(images)
        measurements.forward_seconds.observe(seconds)
    measurements.queued_seconds.observe(600)
    measurements.count("succeeded", number=1234)
    return measurements.as_dict()


def cells(page: str, row: int) -> dict[str, str]:
    """A row of the list by its columns: their text, or the word for a mark."""
    body = re.search(r"<tbody>(.*)</tbody>", page, re.S).group(1)
    found = re.findall(r'<t[dh] class="field-(\w+)[^"]*">(.*?)</t[dh]>', body.split("</tr>")[row], re.S)
    return {column: re.sub(r'<img [^>]*alt="(\w+)"[^>]*>|<[^>]+>', r"\1", content) for column, content in found}


def test_a_worker_shows_what_it_runs_and_how_it_goes(browse, staff):
    make_worker_process(host="gpu-1", pid=7, measurements=measured())
    row = cells(browse(staff).get(WORKERS).content.decode(), 0)
    assert row["worker"] == "gpu-1:7"
    assert row["alive"] == "True"
    assert re.fullmatch(r"now|\d+\s(second|seconds) ago|a second ago", row["last_report"])
    assert row["succeeded"] == "1234"
    assert row["images_per_batch"] == "2.5"
    assert row["network_time"] == f"400{NBSP}ms"


def test_one_that_has_measured_nothing_shows_dashes(browse, staff):
    worker = make_worker_process()
    row = cells(browse(staff).get(WORKERS).content.decode(), 0)
    assert (row["succeeded"], row["images_per_batch"], row["network_time"]) == ("0", "–", "–")
    assert browse(staff).get(f"{WORKERS}{worker.pk}/change/").status_code == 200


def test_a_worker_without_a_recent_heartbeat_is_listed_below_the_live_ones(browse, staff):
    make_worker_process(host="dead", pid=1, silent_seconds=HEARTBEAT_TIMEOUT + 1)
    make_worker_process(host="alive", pid=1)
    page = browse(staff).get(WORKERS).content.decode()
    assert [(cells(page, n)["worker"], cells(page, n)["alive"]) for n in (0, 1)] == [
        ("alive:1", "True"),
        ("dead:1", "False"),
    ]


def test_its_page_gives_the_mean_of_every_step_that_was_measured(browse, staff):
    worker = make_worker_process(measurements=measured())
    page = browse(staff).get(f"{WORKERS}{worker.pk}/change/").content.decode()
    assert f"the network: 400{NBSP}ms a batch" in page
    assert f"waiting for a worker: 10{NBSP}min an analysis" in page
    assert "storing results" not in page


def test_above_the_workers_stands_the_queue(browse, staff, owner):
    assert "0 queued, 0 running" in browse(staff).get(WORKERS).content.decode()
    make_analysis(make_scan(owner), state="queued")
    make_analysis(make_scan(owner), state="running")
    page = browse(staff).get(WORKERS).content.decode()
    assert "1 queued, 1 running, the oldest waiting for" in page


def test_workers_are_looked_at_and_not_changed(browse, staff):
    worker = make_worker_process()
    client = browse(staff)
    assert client.get(f"{WORKERS}add/").status_code == 403
    assert client.post(f"{WORKERS}{worker.pk}/change/", {"host": "x"}).status_code == 403
    assert client.post(f"{WORKERS}{worker.pk}/delete/", {"post": "yes"}).status_code == 403


def test_its_page_names_the_models_in_memory(browse, staff):
    worker = make_worker_process(measurements={"models": {"compact": {"version": "0.1", "bytes": 200 * 2**20}}})
    assert "compact 0.1 (200 MiB)" in browse(staff).get(f"{WORKERS}{worker.pk}/change/").content.decode()


@pytest.mark.parametrize("name", ["scan", "analysis"])
def test_rows_are_found_by_the_identifier_of_the_scan(browse, staff, scan, name):
    make_analysis(make_scan(scan.owner), state="failed")
    client = browse(staff)
    path = f"/admin/classifier/{name}/"
    wanted = scan if name == "scan" else scan.current_analysis
    assert [row.pk for row in client.get(path, {"q": str(scan.pk)}).context["cl"].result_list] == [wanted.pk]
    assert len(client.get(path).context["cl"].result_list) == 2
    assert len(client.get(path, {"q": "no such thing"}).context["cl"].result_list) == 0


def test_scans_are_found_by_their_owner_and_analyses_by_their_model(browse, staff, scan):
    client = browse(staff)
    found = client.get("/admin/classifier/scan/", {"q": "OWNER"}).context["cl"].result_list
    assert [row.pk for row in found] == [scan.pk]
    page = client.get("/admin/classifier/analysis/", {"model": "xception"})
    assert [row.pk for row in page.context["cl"].result_list] == [scan.current_analysis_id]
    assert "?model=xception" in page.content.decode()
