"""Read a CSV file of cases with their truth. A bad row costs only itself, and a sentence names it."""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from classifier.acceptance.limits import MAX_CASES
from classifier.comparison.tables import no_formula
from classifier.findings import FINDING_LABELS, READINGS

MAX_BYTES = 2**20
"""A row takes some dozens of bytes, so `MAX_CASES` rows fit several times."""

NAME_LENGTH = 80
"""Characters of a file name that a sentence repeats."""

FILE, FINDING, PATIENT = "file", "finding", "patient"
SYNONYMS = {FINDING_LABELS[name]: name for name in READINGS} | {"no_tumor": "notumor", "pituitary_tumor": "pituitary"}


class UnreadableCaseFile(ValueError):
    """No row can be read; the message is for people."""


@dataclass(frozen=True, slots=True)
class CaseProblem:
    """A case that cannot be used.

    Attributes:
        name: What names it: the file of its row, an image, or a scan; "" for a row that names none.
        reason: Why, as the end of a sentence that begins with its name.
        row: Its line in the file of cases, from 1 with the header; 0 if it is in none.
    """

    name: str
    reason: str
    row: int = 0

    def __str__(self) -> str:
        if not self.row:
            return f"{self.name}: {self.reason}"
        return f"Row {self.row} ({self.name}): {self.reason}" if self.name else f"Row {self.row}: {self.reason}"


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One readable row.

    Attributes:
        number: The line in the file on which it begins, from 1 with the header.
        file: Name of the image file, or the identifier of a scan.
        finding: What the image shows, one of `READINGS`.
        patient: Patient reference for an image that is uploaded with the file; "" if there is none.
    """

    number: int
    file: str
    finding: str
    patient: str = ""

    def problem(self, reason: str) -> CaseProblem:
        """Return the problem that the row has."""
        return CaseProblem(self.file[:NAME_LENGTH], reason, self.number)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The rows of a file, and those that cannot be used."""

    rows: tuple[CaseRow, ...]
    problems: tuple[CaseProblem, ...]


def read_case_file(content: bytes) -> CaseFile:
    """Read a CSV file with the columns `file` and `finding`, and optionally `patient`.

    Commas, semicolons and tabs separate columns. The text is UTF-8, or what Windows programs write: UTF-16 with a byte
    order mark, or code page 1252.

    Raises:
        UnreadableCaseFile: If it is too large, empty, or has no such header.
    """
    if len(content) > MAX_BYTES:
        raise UnreadableCaseFile("The case file is larger than 1 MB. Split it.")
    text = _text(content)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise UnreadableCaseFile("The case file is empty.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    try:
        header = [cell.strip().lower() for cell in next(cells for cells in reader if any(map(str.strip, cells)))]
        columns = {name: header.index(name) for name in (FILE, FINDING)}
    except (ValueError, StopIteration, csv.Error) as error:
        raise UnreadableCaseFile(
            "The first line must name the columns “file” and “finding”; “patient” is optional."
        ) from error
    if PATIENT in header:
        columns[PATIENT] = header.index(PATIENT)
    rows: list[CaseRow] = []
    problems: list[CaseProblem] = []
    seen: dict[str, int] = {}
    for number, cells in _numbered(reader, problems, lines_read=lambda: reader.line_num):
        row = _row(number, cells, columns)
        if isinstance(row, CaseProblem):
            problems.append(row)
        elif row.file in seen:
            problems.append(row.problem(f"the file is already named in row {seen[row.file]}."))
        elif len(rows) == MAX_CASES:
            problems.append(row.problem(f"a commissioning has at most {MAX_CASES} cases."))
        else:
            seen[row.file] = number
            rows.append(row)
    return CaseFile(tuple(rows), tuple(problems))


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace").replace("\x00", "")
    try:
        return content.decode("utf-8-sig").replace("\x00", "")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace").replace("\x00", "")


def problem_file(problems: Iterable[CaseProblem]) -> str:
    """Return problems as a CSV file, in their order."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(("row", "name", "problem"))
    writer.writerows((item.row or "", no_formula(item.name), item.reason) for item in problems)
    return buffer.getvalue()


def _numbered(
    reader: Iterator[list[str]], problems: list[CaseProblem], *, lines_read: Callable[[], int]
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line on which it begins: a quoted cell may hold several lines."""
    while True:
        number = lines_read() + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(CaseProblem("", f"the row cannot be read ({error}).", number))
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


def _row(number: int, cells: list[str], columns: dict[str, int]) -> CaseRow | CaseProblem:
    """Return the row, or why it cannot be used."""
    values = {name: cells[at].strip() if at < len(cells) else "" for name, at in columns.items()}
    # A path of another computer: only its last part names the file.
    file = values[FILE].replace("\\", "/").rstrip("/")
    if not file:
        return CaseProblem("", "it names no file.", number)
    word = " ".join(values[FINDING].lower().split())
    finding = word if word in READINGS else SYNONYMS.get(word, "")
    if not finding:
        allowed = ", ".join(READINGS)
        reason = f"“{values[FINDING][:40]}” is not a finding. Use one of {allowed}."
        return CaseProblem(file[:NAME_LENGTH], reason, number)
    return CaseRow(number, file, finding, values.get(PATIENT, ""))
