"""Sentences that contradict the analysis are removed; those that do not are kept."""

import numpy as np
import pytest

from classifier.assistant.builtin import Facts
from classifier.assistant.check import ADVICE, FINDING, LINK, NUMBER, SIDE, check, said_of_blocked
from classifier.assistant.place import evidence_place
from classifier.assistant.references import references_of, render
from tests.assistant.test_builtin import RESULTS

LEFT = np.zeros((10, 10), np.float32)
LEFT[2, 1] = 0.9


def facts(name: str = "meningioma", *, placed: bool = True) -> Facts:
    place = evidence_place(LEFT) if placed else None
    return Facts(RESULTS[name], shown="meningioma" if placed else "", place=place, model="xception 2.1.0")


def checked(sentence: str, name: str = "meningioma", *, asserts: bool = True, placed: bool = True):
    given = facts(name, placed=placed)
    return check(sentence, facts=given, references=references_of(given), asserts=asserts)


KEPT = [
    "The network reports meningioma with {{confidence}}.",
    "It requires {{threshold_finding}} to name a kind of tumor.",
    "The evidence lies on the left side of the image.",
    "A glioma is less likely.",
    "On T1 and T2 images, this can look different.",
    "A metastasis cannot be excluded.",
    "The network has seen neither FLAIR nor 3D images.",
    "It is not on the right side.",
    "Right away is not needed; a neuroradiologist usually reads the examination.",
    "1. The evidence is strong.",
]
BLOCKED = {
    "The probability is 91%.": NUMBER,
    "The probability is ninety-one percent.": NUMBER,
    "It is right in nine out of ten cases.": NUMBER,
    "The mass measures 3 cm.": NUMBER,
    "The mass measures a few centimeters.": NUMBER,
    "The probability is ٩١.": NUMBER,
    "The probability is ½.": NUMBER,
    "Meningioma with {{secret}}.": NUMBER,
    "Meningioma with {{confidence.": NUMBER,
    "The image shows a glioma.": FINDING,
    "This is a glioblastoma.": FINDING,
    "The image shows a pituitary adenoma.": FINDING,
    "The image is normal.": FINDING,
    "The scan shows no tumor.": FINDING,
    "There is an infarction.": FINDING,
    "The evidence lies on the right side of the image.": SIDE,
    "It lies in the patient's left frontal lobe.": SIDE,
    "It lies in the left hemisphere.": SIDE,
    "My diagnosis is meningioma.": ADVICE,
    "The diagnosis is meningioma.": ADVICE,
    "Give dexamethasone at once.": ADVICE,
    "The patient must undergo surgery.": ADVICE,
    "See https://example.org for more.": LINK,
    "See [this](x) for more.": LINK,
    "![x](http://evil/)": LINK,
    "<b>Meningioma</b>": LINK,
    "<script>alert(1)</script>": LINK,
    "Write to doctor@example.org.": LINK,
}


@pytest.mark.parametrize("sentence", KEPT)
def test_what_agrees_is_kept(sentence):
    result = checked(sentence)
    assert (result.text, result.blocked) == (sentence, [])


@pytest.mark.parametrize(("sentence", "reason"), BLOCKED.items())
def test_what_contradicts_is_removed_with_its_reason(sentence, reason):
    result = checked(f"{sentence} The grade is unknown.")
    assert sentence not in result.text
    assert result.blocked[0] == reason


@pytest.mark.parametrize("name", ["notumor", "refused"])
@pytest.mark.parametrize("asserts", [True, False])
def test_no_tumor_is_not_turned_into_one(name, asserts):
    assert checked("The image shows a large tumor.", name, asserts=asserts, placed=False).blocked == [FINDING]


@pytest.mark.parametrize("finding", ["glioma", "meningioma", "pituitary"])
@pytest.mark.parametrize("said", ["glioma", "meningioma", "pituitary adenoma", "no tumor"])
def test_a_statement_names_the_reported_finding_only(finding, said):
    blocked = checked(f"The network reports {said}.", finding, placed=False).blocked
    assert blocked == ([] if said.split()[0] == finding else [FINDING])


def test_an_uncertain_result_allows_what_remains_possible():
    assert checked("It could be a glioma or a meningioma.", "split", placed=False).blocked == []


def test_other_parts_may_discuss_other_findings():
    assert checked("An abscess can look alike.", asserts=False).blocked == []
    assert checked("An abscess can look alike.", asserts=True).blocked == [FINDING]


@pytest.mark.parametrize("asserts", [True, False])
@pytest.mark.parametrize("name", ["meningioma", "tumor"])
@pytest.mark.parametrize(
    "sentence",
    [
        "This is clearly a healthy brain without a tumor.",
        "The brain is healthy.",
        "The scan appears to be entirely unremarkable.",
        "The image shows a normal brain.",
        "The network reports no lesion.",
        "The slice shows no signs of any abnormality.",
        "The picture shows a brain free of tumor.",
    ],
)
def test_a_tumor_is_not_turned_into_health(sentence, name, asserts):
    assert checked(sentence, name, asserts=asserts, placed=False).blocked == [FINDING]


@pytest.mark.parametrize(
    "sentence",
    [
        "A healthy brain can look similar.",
        "The image is not normal.",
        "It does not show a healthy brain.",
        "Healthy volunteers were called a tumor, too.",
        "A slice without a tumor would look different.",
        "It is normal to read the whole examination.",
        "There is no mass effect.",
        "Tumors of low grade are missed when the slice is often normal.",
    ],
)
def test_health_may_be_discussed(sentence):
    assert checked(sentence, asserts=False).blocked == []


def test_a_side_without_evidence_is_removed():
    assert checked("It lies on the left side.", placed=False).blocked == [SIDE]


def test_hidden_characters_do_not_hide_a_number():
    assert checked("It is 9\u200b1 \u202epercent.").blocked == [NUMBER]


def test_a_very_long_text_is_cut():
    assert len(checked("The grade is unknown. " * 1000).text) <= 4000


def test_what_was_removed_is_reported_once_for_each_reason():
    assert said_of_blocked([]) == ""
    assert said_of_blocked([NUMBER, NUMBER, SIDE]).startswith("3 sentences were removed: it gave a number")
    assert "side" in said_of_blocked([NUMBER, SIDE])


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_every_reference_is_rendered(result):
    references = references_of(Facts(result))
    text = " ".join(f"{{{{{name}}}}}" for name in references)
    assert "{{" not in render(text, references)
    assert ("p_glioma" in references) is (result.probabilities is not None)
