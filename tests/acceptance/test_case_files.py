"""CSV files of cases: a bad row costs only itself, and its sentence names it."""

import pytest

from classifier.acceptance.case_files import MAX_BYTES, CaseProblem, UnreadableCaseFile, problem_file, read_case_file


def test_rows_are_read_whatever_program_wrote_them() -> None:
    for content in (
        b"file,finding,patient\na.png,glioma,P-1\nb.png,no tumor,\n",
        b"\xef\xbb\xbfFile;Finding;Patient\r\na.png;Glioma;P-1\r\nb.png;NoTumor;\r\n",
        b"finding\tpatient\tfile\nglioma\tP-1\ta.png\nno_tumor\t\tb.png\n\n",
        # “Unicode text” of a spreadsheet, and what a Windows shell writes.
        "file\tfinding\tpatient\r\na.png\tglioma\tP-1\r\nb.png\tno tumor\t\r\n".encode("utf-16"),
        b"\xfe\xff" + "file,finding,patient\na.png,glioma,P-1\nb.png,notumor,".encode("utf-16-be"),
    ):
        parsed = read_case_file(content)
        assert [(row.number, row.file, row.finding, row.patient) for row in parsed.rows] == [
            (2, "a.png", "glioma", "P-1"),
            (3, "b.png", "notumor", ""),
        ]
        assert parsed.problems == ()


def test_each_bad_row_has_a_sentence_and_the_others_stay() -> None:
    content = b"file,finding\na.png,glioma\n,glioma\nb.png,cyst\na.png,notumor\nC:\\data\\c.png,pituitary\nd.png\n"
    parsed = read_case_file(content)
    assert [row.file for row in parsed.rows] == ["a.png", "C:/data/c.png"]
    assert [str(problem).split(":")[0] for problem in parsed.problems] == [
        "Row 3",
        "Row 4 (b.png)",
        "Row 5 (a.png)",
        "Row 7 (d.png)",
    ]
    assert "“cyst” is not a finding" in parsed.problems[1].reason
    assert "already named in row 2" in parsed.problems[2].reason


def test_rows_are_numbered_by_their_line_in_the_file() -> None:
    content = b'\n\nfile,finding,remark\na.png,glioma,"two\nlines"\n\nb.png,cyst,\x0c\nc.png,glioma,\n'
    parsed = read_case_file(content)
    assert [(row.number, row.file) for row in parsed.rows] == [(4, "a.png"), (8, "c.png")]
    assert [problem.row for problem in parsed.problems] == [7]


def test_problems_are_a_file_that_no_spreadsheet_runs() -> None:
    problems = [
        CaseProblem("=cmd.png", "it is no image.", 3),
        CaseProblem("stray.png", "no row names it, sadly."),
        CaseProblem("", "it names no file.", 4),
    ]
    assert problem_file(problems).splitlines() == [
        "row,name,problem",
        "3,'=cmd.png,it is no image.",
        ',stray.png,"no row names it, sadly."',
        "4,,it names no file.",
    ]


@pytest.mark.parametrize(
    "content", [b"", b"\n \n", b"name,label\na.png,glioma\n", b"x" * (MAX_BYTES + 1), b'"file,finding\n'], ids=str
)
def test_a_file_without_rows_is_refused(content) -> None:
    with pytest.raises(UnreadableCaseFile):
        read_case_file(content)
