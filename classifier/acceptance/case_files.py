"""Read a CSV file of cases with their truth. A bad row costs only itself, and a sentence names it."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from classifier.acceptance.limits import MAX_CASES
from classifier.findings import FINDING_LABELS, READINGS

MAX_BYTES = 2**20
"""A row takes some dozens of bytes, so `MAX_CASES` rows fit several times."""

FILE, FINDING, PATIENT = "file", "finding", "patient"
SYNONYMS = {FINDING_LABELS[name]: name for name in READINGS} | {"no_tumor": "notumor", "pituitary_tumor": "pituitary"}


class UnreadableCaseFile(ValueError):
    """No row can be read; the message is for people."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One readable row.

    Attributes:
        number: Its line in the file, from 1 with the header.
        file: Name of the image file, or the identifier of a scan.
        finding: What the image shows, one of `READINGS`.
        patient: Patient reference for an image that is uploaded with the file; "" if there is none.
    """

    number: int
    file: str
    finding: str
    patient: str = ""

    @property
    def name(self) -> str:
        """How sentences name the row."""
        return f"Row {self.number} ({self.file[:80]})"


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The rows of a file, and a sentence for each that cannot be used."""

    rows: tuple[CaseRow, ...]
    problems: tuple[str, ...]


def read_case_file(content: bytes) -> CaseFile:
    """Read a CSV file with the columns `file` and `finding`, and optionally `patient`.

    Commas, semicolons and tabs separate columns. The text is UTF-8, or what Windows programs write.

    Raises:
        UnreadableCaseFile: If it is too large, empty, or has no such header.
    """
    if len(content) > MAX_BYTES:
        raise UnreadableCaseFile("The case file is larger than 1 MB. Split it.")
    lines = _text(content).splitlines()
    if not any(line.strip() for line in lines):
        raise UnreadableCaseFile("The case file is empty.")
    delimiter = max(",;\t", key=lines[0].count)
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
    try:
        header = [cell.strip().lower() for cell in next(reader)]
        columns = {name: header.index(name) for name in (FILE, FINDING)}
    except (ValueError, csv.Error) as error:
        raise UnreadableCaseFile(
            "The first line must name the columns “file” and “finding”; “patient” is optional."
        ) from error
    if PATIENT in header:
        columns[PATIENT] = header.index(PATIENT)
    rows: list[CaseRow] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, cells in _numbered(reader, problems):
        row = _row(number, cells, columns)
        if isinstance(row, str):
            problems.append(row)
        elif row.file in seen:
            problems.append(f"{row.name}: the file is already named in row {seen[row.file]}.")
        elif len(rows) == MAX_CASES:
            problems.append(f"{row.name}: a commissioning has at most {MAX_CASES} cases.")
        else:
            seen[row.file] = number
            rows.append(row)
    return CaseFile(tuple(rows), tuple(problems))


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\x00", "")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace").replace("\x00", "")


def _numbered(reader: Iterator[list[str]], problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(f"Row {number}: the row cannot be read ({error}).")
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


def _row(number: int, cells: list[str], columns: dict[str, int]) -> CaseRow | str:
    """Return the row, or the sentence that says why it cannot be used."""
    values = {name: cells[at].strip() if at < len(cells) else "" for name, at in columns.items()}
    # A path of another computer: only its last part names the file.
    file = values[FILE].replace("\\", "/").rstrip("/")
    if not file:
        return f"Row {number}: it names no file."
    word = " ".join(values[FINDING].lower().split())
    finding = word if word in READINGS else SYNONYMS.get(word, "")
    if not finding:
        allowed = ", ".join(READINGS)
        return f"Row {number} ({file[:80]}): “{values[FINDING][:40]}” is not a finding. Use one of {allowed}."
    return CaseRow(number, file, finding, values.get(PATIENT, ""))
