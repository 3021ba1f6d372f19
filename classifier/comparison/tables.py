"""The figures of several models as CSV and as a LaTeX table."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from classifier.comparison.differences import Difference
from classifier.comparison.figures import Figure
from classifier.training.predictions import NOT_SHIPPED
from classifier.wording import percent, with_interval

CSV_COLUMNS = (
    "model", "version", "protocol", "set", "measure", "value", "low", "high", "images", "patients", "higher_is_better",
    "run", "weights",
)  # fmt: skip
DIFFERENCE_COLUMNS = (
    "protocol", "base", "model", "set", "measure", "base_value", "model_value", "difference", "low", "high", "verdict",
    "images", "patients", "base_run", "run",
)  # fmt: skip
SPECIAL = re.compile(r"[&%$#_{}~^\\]")
ESCAPES = {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}


@dataclass(frozen=True, slots=True)
class Column:
    """The figures of one model under one protocol.

    Attributes:
        model: Name of the model.
        version: The version that was measured.
        protocol: The protocol.
        figures: Its figures.
        run: Name of the run that was measured; "" for the model itself.
    """

    model: str
    version: str
    protocol: str
    figures: Sequence[Figure]
    run: str = ""

    @property
    def heading(self) -> str:
        """What heads the column: model and version, or the run whose weights are not shipped."""
        return f"{self.run} {self.version} ({NOT_SHIPPED})" if self.run else f"{self.model} {self.version}"


def to_csv(columns: Iterable[Column]) -> str:
    """Return one line for each figure, with a header."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for column in columns:
        for figure in column.figures:
            bounds = ["" if bound is None else f"{bound:.6f}" for bound in (figure.low, figure.high)]
            writer.writerow(
                (
                    *(
                        no_formula(column.model),
                        no_formula(column.version),
                        column.protocol,
                        figure.part.key,
                        figure.measure.key,
                    ),
                    *(f"{figure.value:.6f}", *bounds, figure.images, figure.patients or ""),
                    *(int(figure.measure.higher_is_better), no_formula(column.run)),
                    NOT_SHIPPED if column.run else "shipped",
                )
            )
    return buffer.getvalue()


def differences_to_csv(comparisons: Iterable[tuple[Column, Column, Sequence[Difference]]]) -> str:
    """Return one line for each paired difference, with a header.

    Args:
        comparisons: The base, the model, and the differences of the model from the base.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(DIFFERENCE_COLUMNS)
    for base, model, rows in comparisons:
        for row in rows:
            bounds = ["" if bound is None else f"{bound:.6f}" for bound in (row.low, row.high)]
            writer.writerow(
                (
                    *(base.protocol, no_formula(base.model), no_formula(model.model), row.part.key, row.measure.key),
                    *(f"{row.base:.6f}", f"{row.value:.6f}", f"{row.difference:.6f}", *bounds),
                    *(row.verdict, row.images, row.patients, no_formula(base.run), no_formula(model.run)),
                )
            )
    return buffer.getvalue()


def to_latex(columns: Sequence[Column], *, caption: str) -> str:
    """Return a table with a row for each figure and a column for each model; it needs booktabs and graphicx.

    A table that is wider than a line is made smaller.

    Args:
        columns: One for each model, all of one protocol.
        caption: The caption, as plain text.
    """
    found = {figure.key: figure for column in columns for figure in column.figures}
    known = [{figure.key: figure for figure in column.figures} for column in columns]
    lines = [
        r"% Needs \usepackage{booktabs,graphicx}. 95% intervals by patient; score intervals of 0% and 100%.",
        r"\begin{table}",
        rf"\caption{{{escape(caption)}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(["Figure", *(escape(column.heading) for column in columns)]) + r" \\",
    ]
    for label in dict.fromkeys(figure.part.label for figure in found.values()):
        figures = [figure for figure in found.values() if figure.part.label == label]
        heading = rf"\textit{{{escape(label)}}}, {escape(counted(figures[0]))}"
        lines += [r"\midrule", rf"\multicolumn{{{len(columns) + 1}}}{{l}}{{{heading}}} \\"]
        for figure in figures:
            cells = [formatted(table[figure.key]) if figure.key in table else "not measured" for table in known]
            lines.append(" & ".join(map(escape, (figure.measure.label, *cells))) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def formatted(figure: Figure) -> str:
    """Return a figure with its interval: "86.7% (80.2–92.7)", "0.964 (0.934–0.986)"."""
    is_share = figure.measure.is_share
    return with_interval(figure.value, figure.low, figure.high, digits=1 if is_share else 3, is_share=is_share)


def counted(figure: Figure) -> str:
    """Return what a figure was measured on: "1,379 images, 148 patients"."""
    images = f"{figure.images:,} image{'' if figure.images == 1 else 's'}"
    if not figure.patients:
        return images
    return f"{images}, {figure.patients:,} patient{'' if figure.patients == 1 else 's'}"


def amount(value: float, *, is_share: bool) -> str:
    """Return a share as percent with one decimal, another number with three."""
    return percent(value, digits=1) if is_share else f"{value:.3f}"


def escape(text: str) -> str:
    """Return text whose special characters LaTeX prints as they are."""
    return SPECIAL.sub(lambda found: ESCAPES.get(found[0], "\\" + found[0]), text).replace("–", "--")


def no_formula(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
