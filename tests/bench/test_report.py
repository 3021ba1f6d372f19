import json
import re

import pytest

from bench.machine import RESULTS
from bench.markdown import table
from bench.report import DOCUMENT, NOT_MEASURED, block, read_results, rendered
from bench.tables import TABLES
from bench.targets import TARGETS, target_table


def test_the_document_is_in_step_with_the_results():
    document = DOCUMENT.read_text(encoding="utf-8")
    assert rendered(document, results=read_results()) == document, "Run: python -m bench.report"


def test_every_table_has_its_place_in_the_document():
    document = DOCUMENT.read_text(encoding="utf-8")
    for name in ("targets", *TABLES):
        assert document.count(f"<!-- bench:{name} -->") == 1


def test_the_text_around_the_tables_names_no_figures():
    text = rendered(DOCUMENT.read_text(encoding="utf-8"), results={})
    around = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    assert not re.findall(r"\d\s?(?:%|ms|s|MiB|images)\b", around)


def test_only_the_blocks_change():
    document = "before 1.5\n<!-- bench:throughput -->\nold\n<!-- /bench -->\nafter\n"
    assert rendered(document, results={}) == (
        f"before 1.5\n<!-- bench:throughput -->\n{NOT_MEASURED}\n<!-- /bench -->\nafter\n"
    )


def test_a_block_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        block("weather", results={})


def test_columns_of_numbers_are_right_aligned():
    assert table(("server", "rate"), [["one", "2"]]) == "| server | rate |\n|---|---:|\n| one | 2 |"


def throughput(share):
    return {"throughput": {"share": share}}


@pytest.mark.parametrize(("share", "verdict"), [(0.9, "yes"), (0.8999, "**no**")])
def test_a_figure_is_judged_by_its_goal_and_not_as_it_is_rounded(share, verdict):
    line = next(line for line in target_table(throughput(share)).splitlines() if "(SQLite)" in line)
    assert line.endswith(f"| ≥ 90% | 90.0% | {verdict} |")


def test_what_was_not_measured_is_not_called_reached():
    lines = target_table({}).splitlines()[2:]
    assert len(lines) == len(TARGETS)
    assert all(line.endswith("| not measured |  |") for line in lines)


def test_the_results_name_machine_versions_and_date():
    for path in RESULTS.glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert {"date", "machine"} <= result.keys(), path.name
