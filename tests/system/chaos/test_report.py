"""The document shows the figures that were measured."""

from tests.system.chaos.report import DOCUMENT, updated


def test_the_document_shows_the_last_figures():
    document = DOCUMENT.read_text(encoding="utf-8")
    assert updated(document) == document
