"""The built-in explanation: for every outcome, finding and side, and true to the analysis and the evaluation."""

import json
import re

import numpy as np
import pytest

from classifier.assistant.builtin import Facts, explain, markdown
from classifier.assistant.place import evidence_place
from classifier.evidence import AnswerRule
from classifier.findings import ANSWERS, FINDING_LABELS, FINDINGS, TUMOR, TUMORS, Outcome
from classifier.inference.registry import load_card
from classifier.selectors.model_figures import model_figures, model_limits, result_figures
from classifier.wording import ResultData, percent, probability, sentence
from tests.conftest import MODELS
from tests.model_folders import make_model_folder

RULE = AnswerRule(
    finding=0.55,
    notumor=0.8,
    tumor=0.65,
    possible={"glioma": 0.035, "meningioma": 0.016, "notumor": 0.1, "pituitary": 0.1},
)
HEADINGS = [
    "Result",
    "Where the evidence lies",
    "How reliable such results were",
    "What the network cannot see",
    "What is usually done next",
]


def classified(finding: str) -> ResultData:
    p = [0.5, 0.41, 0.04, 0.05] if finding == TUMOR else [0.91 if name == finding else 0.03 for name in FINDINGS]
    return ResultData(
        outcome=Outcome.CLASSIFIED,
        finding=finding,
        probabilities=p,
        possible_findings=["glioma", "meningioma"] if finding == TUMOR else [finding],
        confidence=0.96 if finding == TUMOR else 0.91,
        answer_rule=RULE,
    )


def uncertain(*p: float) -> ResultData:
    return ResultData(
        outcome=Outcome.UNCERTAIN, probabilities=p, possible_findings=FINDINGS, confidence=max(p), answer_rule=RULE
    )


RESULTS = {name: classified(name) for name in ANSWERS} | {
    "split": uncertain(0.45, 0.41, 0.1, 0.04),
    "below": uncertain(0.1, 0.1, 0.7, 0.1),
    "refused": ResultData(outcome=Outcome.NOT_BRAIN_MRI),
}


@pytest.fixture(scope="module")
def card():
    return load_card(MODELS / "xception", verify=False)


def place(row: int, column: int):
    values = np.zeros((10, 10), np.float32)
    values[row, column] = 0.9
    return evidence_place(values)


def text(result: ResultData, **fields) -> str:
    return markdown(explain(Facts(result, **fields)))


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_every_result_is_explained_in_the_same_order(result, card):
    facts = Facts(result, figures=result_figures(card, result), limits=model_limits(card), model="xception 2.1.0")
    sections = explain(facts)
    assert [section.heading for section in sections] == HEADINGS
    assert all(section.paragraphs or section.items for section in sections)
    said = markdown(sections)
    assert f"{sentence(result)}." in said
    assert "xception 2.1.0" in said
    assert re.search(r"\bNone\b|\bnan\b|\{|\}|<[^1]|  ", said) is None


@pytest.mark.parametrize("finding", ANSWERS)
def test_the_probability_of_the_answer_is_reported_in_words(finding):
    result = classified(finding)
    said = text(result)
    assert f"A calibrated probability of {probability(result.confidence)} says" in said
    assert f"about {round(100 * result.confidence)} of 100" in said


@pytest.mark.parametrize("name", ["split", "below", "refused"])
def test_no_probability_is_explained_where_nothing_is_reported(name):
    assert "of 100 such results" not in text(RESULTS[name])


@pytest.mark.parametrize("finding", TUMORS)
@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (0, 0, "on the left side of the image, in its upper part"),
        (5, 0, "on the left side of the image, at mid-height"),
        (9, 9, "on the right side of the image, in its lower part"),
        (5, 5, "in the middle of the image"),
        (0, 5, "in the upper middle of the image"),
    ],
)
def test_side_and_height_are_those_of_the_image(finding, row, column, words):
    said = text(classified(finding), shown=finding, place=place(row, column))
    assert f"The evidence for {FINDING_LABELS[finding]} is strong. It lies in one area, {words}." in said
    assert "about 1% of the picture" in said
    assert ("does not know whether this image does" in said) is ("left" in words or "right" in words)
    assert "patient's left" not in said


def test_several_areas_are_counted_and_placed():
    values = np.zeros((10, 10), np.float32)
    values[0, 0], values[9, 9] = 1.0, 0.6
    said = text(classified("glioma"), shown="glioma", place=evidence_place(values))
    assert "2 areas: the strongest on the left side of the image, in its upper part; another on the right" in said
    values[0, 9] = values[9, 0] = 0.6
    said = text(classified("glioma"), shown="glioma", place=evidence_place(values))
    assert "spread over 4 areas. The strongest lies on the left side" in said


def test_no_place_is_named_where_there_is_none():
    assert "No single place in the image stands out" in text(classified("glioma"), shown="glioma")
    assert "has no location" in text(classified("notumor"))
    assert "not classified" in text(RESULTS["refused"])
    assert "No tumor is likely enough" in text(RESULTS["below"])


def test_the_likeliest_kind_is_named_as_such():
    said = text(classified(TUMOR), shown="glioma", place=place(0, 0))
    assert "The evidence for glioma (the most likely kind of tumor) is strong" in said


@pytest.mark.parametrize("finding", TUMORS)
def test_figures_of_a_tumor_are_those_of_the_evaluation(finding, card):
    evaluation = json.loads((MODELS / "xception" / "evaluation" / "patient.json").read_text(encoding="utf-8"))
    said = text(classified(finding), figures=result_figures(card, classified(finding)))
    measured = evaluation["per_class"][finding]
    for share in (measured["precision"], measured["recall"], evaluation["saliency"]["by_finding"][finding]):
        assert percent(share, digits=1) in said
    assert f"of {evaluation['images']:,}" not in said
    assert "Other hospitals: " in said
    assert "Tumor digitally removed: " in said


def test_missed_tumors_stand_beside_no_tumor(card):
    evaluation = json.loads((MODELS / "xception" / "evaluation" / "patient.json").read_text(encoding="utf-8"))
    column = [row[FINDINGS.index("notumor")] for row in evaluation["confusion"]]
    missed = sum(n for name, n in zip(FINDINGS, column, strict=True) if name in TUMORS)
    tumors = sum(measured["images"] for name, measured in evaluation["per_class"].items() if name in TUMORS)
    said = text(classified("notumor"), figures=result_figures(card, classified("notumor")))
    assert f"Of {tumors:,} images with a tumor, {percent(missed / tumors, digits=1)} had “no tumor”" in said
    assert "digitally removed" not in said


def test_probabilities_are_compared_with_the_nearest_measured_group(card):
    groups = load(card)["probabilities"]["reliability"]
    for group in groups:
        result = ResultData(
            outcome=Outcome.CLASSIFIED, finding="glioma", probabilities=[0.9, 0, 0.1, 0], confidence=group["confidence"]
        )
        said = text(result, figures=result_figures(card, result))
        assert f"In the group of {group['images']:,} images" in said
        assert f"right for {percent(group['accuracy'], digits=1)}" in said


def test_figures_of_the_card_are_marked_beside_a_site_calibration(card):
    result = classified("glioma")
    said = text(result, figures=result_figures(card, result, site_calibrated=True))
    assert "In the group of" not in said, "The groups hold probabilities of the card's calibration."
    assert "Site calibration: The result was given with the site calibration of the team." in said
    assert model_figures(card, site_calibrated=True)[-1]["on"] == "Site calibration"
    assert "Site calibration" not in text(result, figures=result_figures(card, result))


def load(card):
    return json.loads((card.folder / "evaluation" / "patient.json").read_text(encoding="utf-8"))


def test_figures_of_another_version_are_left_out(tmp_path, card):
    folder = make_model_folder(tmp_path, "xception", version="9.9")
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "patient.json").write_text(json.dumps(load(card)), encoding="utf-8")
    figures = result_figures(load_card(folder, verify=False), classified("glioma"))
    assert not any("held out of training" in figure["on"] for figure in figures)


def test_without_figures_the_text_says_so():
    assert "evaluation of the model version that ran is not installed" in text(classified("glioma"))


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
def test_what_has_no_result_is_not_explained(state):
    result = ResultData(outcome="", state=state)
    (section,) = explain(Facts(result, failure="It stopped." if state == "failed" else ""))
    assert "There is no result to explain." in section.paragraphs[0]
    assert ("It stopped." in section.paragraphs) is (state == "failed")


def test_a_sealed_result_gets_no_word():
    assert explain(Facts(ResultData(outcome="", state="succeeded"))) == []


@pytest.mark.parametrize("finding", ANSWERS)
def test_next_steps_are_general_and_fit_the_finding(finding):
    last = explain(Facts(classified(finding)))[-1]
    assert last.paragraphs[0] == "In general terms, and not as a recommendation for this patient:"
    words = {
        "glioma": "tissue",
        "meningioma": "dura",
        "pituitary": "Hormones",
        "notumor": "whole examination",
        TUMOR: "metastases",
    }
    assert words[finding] in last.paragraphs[1]
