"""The release gate on the shipped model: its card says what its weights do on the bundled samples."""

import pytest

from classifier.training.verify import verify_model
from tests.inference.conftest import ROOT, SHIPPED


@pytest.mark.real_weights
def test_the_shipped_card_states_what_the_shipped_program_does(tmp_path):
    passed = verify_model(SHIPPED, samples=ROOT / "samples", exports=tmp_path)
    assert len(passed) == 3
    assert "12 bundled samples" in passed[-1]
