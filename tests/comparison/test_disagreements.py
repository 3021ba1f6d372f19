"""Images on which two models disagree, and the page that shows them."""

import pytest
from django.urls import reverse

from classifier.comparison.disagreements import disagreements_of, picture_of
from classifier.services.review import submit_review
from tests.comparison.conftest import prediction, predictions_with, write_evaluation
from tests.factories import make_analysis, make_scan

P = {"glioma": [0.9, 0.04, 0.03, 0.03], "notumor": [0.03, 0.04, 0.9, 0.03], "unsure": [0.4, 0.3, 0.2, 0.1]}
P |= {"other": [0.03, 0.9, 0.04, 0.03]}


def items(*answers: str):
    """Predictions of a sample, an image of another hospital, and test images, with these answers."""
    names = ["glioma-1.jpg", "b.png", "c.png", "d.png"]
    return [
        prediction(name, "glioma", name, P[answer], part="sample" if name.startswith("glioma") else "test")
        for name, answer in zip(names, answers, strict=False)
    ]


def test_it_counts_which_model_is_right(evaluate) -> None:
    first = evaluate(items("glioma", "glioma", "notumor", "unsure"), name="first")
    second = evaluate(items("notumor", "glioma", "glioma"), name="second")
    found = disagreements_of(first, second)
    assert (found.both, len(found.items)) == (3, 2)
    assert (found.first_right, found.second_right, found.neither) == (1, 1, 0)
    assert {item.file: item.answers for item in found.items} == {
        "glioma-1.jpg": ("glioma", "notumor"),
        "c.png": ("notumor", "glioma"),
    }
    assert disagreements_of(first, first).items == ()


def test_any_kind_is_right_for_a_tumor_of_unknown_kind(evaluate) -> None:
    def answers(*said: str):
        truths = ("tumor", "tumor", "tumor", "other_disease")
        return [
            prediction(f"{number}.png", truth, f"p{number}", P[answer], part="extra")
            for number, (truth, answer) in enumerate(zip(truths, said, strict=True))
        ]

    first = evaluate(answers("glioma", "notumor", "glioma", "glioma"), name="first")
    second = evaluate(answers("notumor", "glioma", "other", "notumor"), name="second")
    found = disagreements_of(first, second)
    assert (found.first_right, found.second_right, found.both_right) == (1, 1, 1)
    assert (found.neither, found.unknown) == (0, 1)
    assert sorted(item.truth for item in found.items) == ["", "tumor", "tumor", "tumor"]


def test_a_refused_image_is_an_answer_of_its_own(evaluate) -> None:
    import dataclasses

    refused = [dataclasses.replace(item, ood_score=1.4) for item in items("glioma")]
    found = disagreements_of(evaluate(items("glioma"), name="a"), evaluate(refused, name="b"))
    assert found.items[0].answers == ("glioma", "not_brain_mri")
    assert found.items[0].probabilities[1] is None


def test_only_installed_pictures_whose_license_allows_it_are_shown(evaluate, tmp_path) -> None:
    for name in ("glioma-1.jpg", "c.png"):
        (tmp_path / name).write_bytes(b"picture")
    first = evaluate(items("glioma", "glioma", "notumor"), name="first")
    second = evaluate(items("notumor", "glioma", "glioma"), name="second")
    shown = {
        item.file: picture_of(first, item, folders=[tmp_path]) is not None
        for item in disagreements_of(first, second).items
    }
    # The source “a” of the test images states no license.
    assert shown == {"glioma-1.jpg": True, "c.png": False}


@pytest.mark.django_db
def test_the_page_shows_pictures_rows_and_own_scans(two_models, browse, owner, teammate, outsider, team) -> None:
    write_evaluation(two_models / "xception", items("glioma", "glioma", "notumor"))
    write_evaluation(two_models / "compact", items("notumor", "glioma", "glioma"))
    scan = make_scan(owner, team=team)
    first = make_analysis(scan, state="succeeded", finding="glioma")
    make_analysis(scan, state="succeeded", finding="notumor", model_name="compact")
    address = reverse("web:disagreements")
    assert "None. A scan is listed if both models" in browse(owner).get(address).content.decode()
    submit_review(first, by=owner, verdict="agree", certainty="high")
    for reader in (owner, teammate):
        page = " ".join(browse(reader).get(address).content.decode().split())
        assert "they disagree on 2" in page
        assert "c.png" in page
        assert scan.get_absolute_url() in page
    assert scan.get_absolute_url() not in browse(outsider).get(address).content.decode()
    picture = reverse("web:model_image", args=["xception", 0])
    assert picture in page
    assert browse(owner).get(f"{picture}?protocol=patient").status_code == 200
    assert browse(owner).get(reverse("web:model_image", args=["xception", 2]) + "?protocol=patient").status_code == 404


@pytest.mark.django_db
def test_a_sealed_scan_is_not_shown(two_models, browse, owner, teammate, team) -> None:
    from classifier.services.team import set_sealed_reading

    set_sealed_reading(team, by=owner, on=True)
    scan = make_scan(owner, team=team, reviewed_finding="glioma")
    make_analysis(scan, state="succeeded", finding="glioma")
    make_analysis(scan, state="succeeded", finding="notumor", model_name="compact")
    assert scan.get_absolute_url() not in browse(teammate).get(reverse("web:disagreements")).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["", "?base=none&other=none", "?base=xception&other=xception", "?protocol=x&page=99"])
def test_whatever_is_asked_has_an_answer(query, two_models, browse, owner) -> None:
    write_evaluation(two_models / "xception", predictions_with(skill=1.0))
    write_evaluation(two_models / "compact", predictions_with(skill=0.0, seed=2))
    assert browse(owner).get(reverse("web:disagreements") + query).status_code == 200


@pytest.mark.django_db
def test_one_model_has_no_disagreements(two_models, browse, owner) -> None:
    (two_models / "compact" / "card.json").unlink()
    assert "Only one model is installed" in browse(owner).get(reverse("web:disagreements")).content.decode()
