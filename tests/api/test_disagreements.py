"""Images on which two models disagree, over the API."""

import pytest

from tests.comparison.conftest import prediction, write_evaluation

pytestmark = pytest.mark.django_db
URL = "/api/v1/models/xception/disagreements/compact/"
GLIOMA, PITUITARY = (0.9, 0.05, 0.03, 0.02), (0.1, 0.1, 0.1, 0.7)


@pytest.fixture
def measured(two_models):
    """Two models that agree on one image and disagree on another; only the first is right there."""
    for name, second in (("xception", GLIOMA), ("compact", PITUITARY)):
        rows = [prediction("a.png", "glioma", "p:1", GLIOMA), prediction("b.png", "glioma", "p:2", second)]
        write_evaluation(two_models / name, rows)


def test_only_images_with_different_answers_are_listed(measured, api, owner):
    found = api(owner).get(URL).json()
    assert (found["models"], found["protocol"]) == (["xception", "compact"], "patient")
    counts = [found[key] for key in ("images", "disagreements", "first_right", "second_right")]
    assert counts == [2, 1, 1, 0]
    (item,) = found["items"]
    assert (item["file"], item["truth"], item["answers"]) == ("b.png", "glioma", ["glioma", "pituitary"])
    assert item["probabilities"] == pytest.approx([0.9, 0.7])


@pytest.mark.parametrize(
    "url", [f"{URL}?protocol=official", URL.replace("compact", "xception"), URL.replace("com", "")]
)
def test_what_was_not_measured_is_not_found(url, measured, api, owner):
    assert api(owner).get(url).status_code == 404


def test_an_unknown_parameter_is_refused(measured, api, owner):
    response = api(owner).get(f"{URL}?protocols=patient")
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "unknown_parameter"
