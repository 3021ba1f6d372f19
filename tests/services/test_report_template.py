"""Templates of reports."""

import pytest

from classifier.models import ReportTemplate
from classifier.selectors.report import report_templates
from classifier.selectors.report_facts import scan_facts
from classifier.selectors.scan import get_scan
from classifier.services.errors import Conflict, Invalid, NotAllowed
from classifier.services.report_template import delete_template, filled_texts, save_template


def test_fields_are_filled_from_the_facts(scan, owner) -> None:
    texts = {"findings": "Scan of {patient_reference}: {outcome}.", "impression": "", "recommendation": "By {author}"}
    template = save_template(None, by=owner, name="MR head", team=None, texts=texts)

    filled = filled_texts(template, facts=scan_facts(owner, get_scan(owner, scan.pk)), author=owner)

    assert filled["findings"] == "Scan of P-1: Probably meningioma (91%)."
    assert filled["recommendation"] == "By owner"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{diagnosis}", r"Impression contains the unknown field \{diagnosis\}"),
        ("{}", r"unknown field \{\}"),
        ("{outcome", "an unmatched brace"),
        ("{{outcome}}", "an unmatched brace"),
        ("{outcome.__class__}", "unknown field"),
    ],
)
def test_an_unknown_field_is_refused_by_name(owner, text, sentence) -> None:
    with pytest.raises(Invalid, match=sentence):
        save_template(None, by=owner, name="MR head", team=None, texts={"impression": text})
    assert not ReportTemplate.objects.exists()


def test_a_team_uses_the_templates_that_its_owners_write(owner, teammate, team, outsider) -> None:
    template = save_template(None, by=owner, name="MR head", team=team, texts={})

    assert list(report_templates(teammate)) == [template]
    assert not report_templates(outsider).exists()
    with pytest.raises(NotAllowed):
        save_template(None, by=teammate, name="Other", team=team, texts={})
    with pytest.raises(NotAllowed):
        save_template(template, by=teammate, name="Other", team=team, texts={})
    with pytest.raises(NotAllowed):
        delete_template(template, by=teammate)


def test_a_name_is_used_once(owner) -> None:
    save_template(None, by=owner, name="MR head", team=None, texts={})
    with pytest.raises(Conflict, match="exists already"):
        save_template(None, by=owner, name=" MR  head ", team=None, texts={})
    with pytest.raises(Invalid):
        save_template(None, by=owner, name=" ", team=None, texts={})
