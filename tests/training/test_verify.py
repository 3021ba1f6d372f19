"""The release gate on the shipped models: each card says what its weights do on the bundled samples."""

import pytest

from classifier.training.verify import verify_model
from tests.inference.conftest import ROOT

MODELS = sorted(path.parent.name for path in (ROOT / "models").glob("*/card.json"))


@pytest.mark.real_weights
@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_card_states_what_the_shipped_program_does(name, tmp_path):
    passed = verify_model(ROOT / "models" / name, samples=ROOT / "samples", exports=tmp_path)
    assert len(passed) == 3
    assert "12 bundled samples" in passed[-1]
