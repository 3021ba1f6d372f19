import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from bench.client import Load, Stream, Upload, closed_rate, run_closed, run_open
from bench.images import DISTINCT, distinct_jpeg
from classifier.intake import read_image

SLOW_SECONDS = 0.5


class Handler(BaseHTTPRequestHandler):
    """Takes uploads and has results, as BrainScan does; under /slow/ it stands still first, under /busy/ refuses."""

    protocol_version = "HTTP/1.0"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.images.append(body)
        if "slow" in self.path:
            self.server.stall.wait(SLOW_SECONDS)
        if "direct" in self.path:
            self.reply(200, "{}")
        elif "busy" in self.path:
            self.reply(503, "later")
        else:
            self.reply(202, f'{{"id": "{uuid.uuid4()}"}}')

    def do_GET(self):
        self.reply(200, '{"analysis": {"state": "succeeded"}}')

    def reply(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.images, server.stall = [], threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.stall.set()
        server.shutdown()


def load(server, path, *, seconds=0.5, rate=40.0, wait=0.0, clients=2, closed=False):
    streams = [Stream("one", "token", rate=rate, wait=wait, clients=clients)]
    return Load(f"http://127.0.0.1:{server.server_port}", path, streams, seconds, 1, 0, closed)


def test_an_open_loop_begins_at_the_same_times_whatever_the_server_does(server):
    quick, slow = run_open(load(server, "/quick/")), run_open(load(server, "/slow/"))
    assert [upload.due for upload in quick] == [upload.due for upload in slow]
    assert len(quick) > 5
    assert all(upload.status == 202 and upload.answered > upload.due for upload in quick)


def test_waiting_for_a_stalled_server_counts_from_when_the_upload_was_due(server):
    for upload in run_open(load(server, "/slow/")):
        assert upload.answered - upload.due >= SLOW_SECONDS


def test_only_those_who_wait_see_results(server):
    assert all(upload.result is None for upload in run_open(load(server, "/quick/")))
    waited = run_open(load(server, "/quick/", wait=1.0))
    assert all(upload.result >= upload.answered for upload in waited)


def test_a_server_that_answers_with_the_result_is_not_asked_again(server):
    for upload in run_open(load(server, "/direct/", wait=1.0)):
        assert upload.result == upload.answered
        assert not upload.scan


def test_refusals_and_silence_are_told(server):
    assert {(upload.status, upload.error) for upload in run_open(load(server, "/busy/"))} == {(503, "later")}
    away = load(server, "/quick/")
    server.shutdown()
    server.server_close()
    assert all(upload.status == 0 and "Connection" in upload.error for upload in run_open(away))


def test_a_closed_loop_keeps_as_many_under_way_as_there_are_clients(server):
    uploads = run_closed(load(server, "/direct-slow/", seconds=SLOW_SECONDS * 1.5, clients=3, closed=True))
    assert len(uploads) == 6
    assert len(set(server.images)) == 6


def test_a_rate_leaves_out_the_begin_and_the_end():
    results = [2.0 + number / 10 for number in range(81)] + [10.4, 10.9]
    uploads = [Upload("one", 0.0, result=result) for result in results]
    assert closed_rate(uploads, seconds=10.0) == pytest.approx(10.0)


def test_no_result_at_all_is_an_error_that_says_what_was_answered():
    with pytest.raises(RuntimeError, match="later"):
        closed_rate([Upload("one", 0.0, error="later")], seconds=1.0)


def test_numbered_images_are_of_different_pixels_and_readable():
    numbers = [0, 1, 12, 13, 12 * 32, DISTINCT - 1]
    images = [read_image(distinct_jpeg(number)) for number in numbers]
    assert len({image.sha256 for image in images}) == len(numbers)
    assert all(np.ptp(image.pixels[16:]) > 100 for image in images)


def test_there_are_no_more_images_than_can_be_told_apart():
    with pytest.raises(ValueError, match=str(DISTINCT)):
        distinct_jpeg(DISTINCT)
