"""Text that arrives in pieces: which parts are finished, and how it passes from the event loop to its reader."""

import asyncio
from threading import Event

import pytest

from classifier.assistant.explaining import finished_parts
from classifier.assistant.pieces import pieces_of


class TestFinishedParts:
    def test_the_last_sentence_of_what_grows_is_held_back(self):
        assert finished_parts({"summary": "One. Two. Thr"}, {}) == {"summary": "One. Two. "}
        assert finished_parts({"summary": "One. Two."}, {}) == {"summary": "One. "}
        assert finished_parts({"limits": ["One.", "Two. Three"]}, {}) == {"limits": ["One.", "Two. "]}

    def test_a_part_that_stands_still_is_finished_in_whatever_order(self):
        before = {"limits": ["One."], "summary": "A."}
        content = {"summary": "A. B", "limits": ["One."], "against": []}
        assert finished_parts(content, before) == {"summary": "A. ", "limits": ["One."]}


class TestPieces:
    def test_the_pieces_come_before_what_is_returned(self):
        async def work(put):
            put("a")
            return "end"

        assert list(pieces_of(work)) == ["a", "end"]

    def test_an_error_reaches_the_reader(self):
        async def work(put):
            put("a")
            raise ValueError("It fails")

        pieces = pieces_of(work)
        assert next(pieces) == "a"
        with pytest.raises(ValueError, match="It fails"):
            next(pieces)

    def test_a_reader_that_leaves_ends_the_work(self):
        ended = Event()

        async def work(put):
            while put("piece"):
                await asyncio.sleep(0.01)
            ended.set()

        pieces = pieces_of(work)
        next(pieces)
        pieces.close()
        assert ended.wait(5)
