"""What a page that waits for a result asks for."""

import re
from contextlib import ExitStack

import pytest

from classifier.models import Scan
from classifier.queue import waiting_slots
from classifier.queue.waiting import CompletionWaiter
from classifier.services.analysis import cancel_analysis
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db


class TestStatus:
    """What the polling page is told."""

    def poll(self, client, scan, **query):
        return client.get(f"{scan.get_absolute_url()}status/", query, headers={"HX-Request": "true"})

    def test_nothing_new_is_no_content(self, browse, owner):
        scan = make_scan(owner)
        make_analysis(scan, state="running")
        client = browse(owner)
        first = self.poll(client, scan)
        seen = first.context["seen"]
        assert first.status_code == 200
        assert f"wait=4&amp;seen={seen}" in first.content.decode()
        assert self.poll(client, scan, seen=seen).status_code == 204

    def test_a_finished_analysis_fetches_the_result_once(self, browse, owner, scan):
        client = browse(owner)
        fragment = self.poll(client, scan, seen="running-0").content.decode()
        assert 'hx-trigger="load"' in fragment
        assert 'hx-select="#scan"' in fragment
        page = client.get(scan.get_absolute_url(), headers={"HX-Request": "true"}).content.decode()
        assert 'hx-trigger="load"' not in page
        assert "data-poll" not in page

    def test_a_waiting_request_is_answered_when_the_analysis_ends(self, browse, owner, monkeypatch):
        scan = make_scan(owner)
        make_analysis(scan)
        client = browse(owner)
        seen = self.poll(client, scan).context["seen"]
        end_while_waiting(scan, monkeypatch)
        response = self.poll(client, scan, wait="4", seen=seen)
        assert "The analysis was canceled" in response.content.decode()
        assert "Retry-After" not in response

    def test_a_change_before_the_request_is_told_at_once(self, browse, owner, monkeypatch):
        scan = make_scan(owner)
        make_analysis(scan)
        monkeypatch.setattr(CompletionWaiter, "wait", lambda *_, **__: pytest.fail("waited"))
        assert self.poll(browse(owner), scan, wait="4", seen="queued-7").status_code == 200

    @pytest.mark.parametrize("wait", ["", "0", "-1", "x", "9" * 5000, "²"])
    def test_a_request_never_waits_longer_than_the_limit(self, browse, owner, monkeypatch, wait):
        scan = make_scan(owner)
        make_analysis(scan)
        waits = []
        monkeypatch.setattr(CompletionWaiter, "wait", lambda *_, seconds: waits.append(seconds))
        response = self.poll(browse(owner), scan, wait=wait, seen="queued-1")
        assert (response.status_code, response["Retry-After"], waits) == (204, "2", [])
        self.poll(browse(owner), scan, wait="999", seen="queued-1")
        assert waits == [4]

    def test_where_too_many_wait_the_page_asks_again_later(self, browse, owner, monkeypatch):
        scan = make_scan(owner)
        make_analysis(scan)
        monkeypatch.setattr(CompletionWaiter, "wait", lambda *_, **__: pytest.fail("waited"))
        with ExitStack() as stack:
            for _ in range(waiting_slots.MAX_WAITING_PER_USER):
                stack.enter_context(waiting_slots.waiting_slot(owner.pk))
            response = self.poll(browse(owner), scan, wait="4", seen="queued-1")
        assert (response.status_code, response["Retry-After"]) == (204, "2")


def end_while_waiting(scan: Scan, monkeypatch) -> None:
    """Cancel the analysis of a scan as soon as a request waits."""
    wait = CompletionWaiter.wait

    def end_then_wait(waiter, *pks, seconds):
        cancel_analysis(scan.current_analysis, by=scan.owner)
        wait(waiter, *pks, seconds=seconds)

    monkeypatch.setattr(CompletionWaiter, "wait", end_then_wait)


class TestManyStatuses:
    """What a list of uploads is told."""

    def ask(self, client, *rows: str) -> str:
        response = client.get("/scans/status/", {"row": rows}, headers={"HX-Request": "true"})
        assert response.status_code == 200
        return response.content.decode()

    def test_only_what_changed_comes_back(self, browse, owner, scan):
        waiting = make_scan(owner)
        make_analysis(waiting)
        answer = self.ask(browse(owner), f"{scan.pk}~", f"{waiting.pk}~")
        assert 'hx-swap-oob="true"' in answer
        assert "Probably meningioma" in answer
        assert f'data-row="{scan.pk}' not in answer
        seen = re.search(rf'data-row="({waiting.pk}~[^"]+)"', answer).group(1)
        assert self.ask(browse(owner), seen).strip() == ""

    def test_a_list_of_many_costs_what_one_costs(self, browse, owner, django_assert_num_queries):
        scans = [make_scan(owner) for _ in range(20)]
        for scan in scans:
            make_analysis(scan)
        client = browse(owner)
        self.ask(client, f"{scans[0].pk}~")
        with django_assert_num_queries(4):
            answer = self.ask(client, *(f"{scan.pk}~" for scan in scans))
        assert answer.count("data-row") == 20
        assert "20th in the queue" in answer

    def test_the_end_of_one_row_answers_for_all(self, browse, owner, monkeypatch):
        scans = [make_scan(owner) for _ in range(3)]
        for scan in scans:
            make_analysis(scan, state="running")
        last = make_scan(owner)
        make_analysis(last)
        end_while_waiting(last, monkeypatch)
        rows = [f"{scan.pk}~running-0" for scan in scans]
        response = browse(owner).get("/scans/status/", {"row": [*rows, f"{last.pk}~queued-1"], "wait": "4"})
        answer = response.content.decode()
        assert "The analysis was canceled" in answer
        assert answer.count("hx-swap-oob") == 1
        assert "Retry-After" not in response

    def test_a_row_whose_scan_was_deleted_does_not_poll_fast(self, browse, owner, scan):
        row = f"{scan.pk}~running-0"
        scan.delete()
        response = browse(owner).get("/scans/status/", {"row": row, "wait": "4"})
        assert (response.content.strip(), response["Retry-After"]) == (b"", "2")

    def test_others_scans_are_not_there(self, browse, outsider, scan):
        assert self.ask(browse(outsider), f"{scan.pk}~").strip() == ""

    @pytest.mark.parametrize("row", ["", "x~queued", "~"])
    def test_a_row_that_names_no_scan_is_not_found(self, browse, owner, row):
        assert browse(owner).get("/scans/status/", {"row": row}).status_code == 404
