"""CSV and LaTeX."""

import csv
import io

import pytest

from classifier.comparison.figures import Figure, figures_of
from classifier.comparison.measures import ACCURACY, AREA, Part
from classifier.comparison.tables import Column, escape, formatted, to_csv, to_latex
from tests.comparison.conftest import predictions_with

PART = Part("test", "Test images", ())
SHARE = Figure(PART, ACCURACY, 0.8673, 0.802, 0.9271, 1379, 148)


def test_shares_and_areas_are_printed_with_their_intervals():
    assert formatted(SHARE) == "86.7% (80.2–92.7)"
    assert formatted(Figure(PART, AREA, 0.9642, None, None, 1, 1)) == "0.964"


def test_csv_reads_back(evaluate):
    figures = figures_of(evaluate(predictions_with(skill=2)))
    rows = list(csv.DictReader(io.StringIO(to_csv([Column("m", "1.0", "patient", figures)]))))
    assert len(rows) == len(figures)
    assert float(rows[0]["value"]) == pytest.approx(figures[0].value, abs=1e-6)
    assert rows[0]["patients"] == "40"


def test_no_cell_is_a_formula():
    assert "'=cmd" in to_csv([Column("=cmd|x", "1", "patient", [SHARE])])


def test_latex_has_a_column_for_each_model_and_says_what_is_missing():
    table = to_latex([Column("a_b", "1", "patient", [SHARE]), Column("c", "2", "patient", [])], caption="A & B")
    assert r"\begin{tabular}{lrr}" in table
    assert r"a\_b 1" in table
    assert r"\caption{A \& B}" in table
    assert r"\multicolumn{3}{l}{\textit{Test images}, 1,379 images, 148 patients} \\" in table
    assert r"Accuracy & 86.7\% (80.2--92.7) & not measured \\" in table
    assert table.count("{tabular}") == 2


@pytest.mark.parametrize(
    ("text", "printed"), [("50%", r"50\%"), ("~", r"\textasciitilde{}"), ("\\", r"\textbackslash{}")]
)
def test_special_characters_are_printed(text, printed):
    assert escape(text) == printed
