"""bfloat16 gives the results of float32."""

import numpy as np
import pytest

from classifier.inference.analyzer import Analyzer
from classifier.inference.appearance import appearance_statistics
from classifier.inference.engines import choose_engine, is_computed_here, load_engine, prepare_model
from classifier.inference.engines import openvino_bf16 as module
from classifier.inference.preprocessing import preprocess_batch
from classifier.inference.registry import LEAD_ERROR, ModelError
from classifier.inference.second_look import predict
from tests.inference.conftest import SHIPPED

NAME = "openvino_bf16"
needs_bfloat16 = pytest.mark.skipif(not is_computed_here(NAME), reason="this processor does not compute in bfloat16")


def test_a_processor_without_bfloat16_is_told_what_to_choose(tiny_folder, monkeypatch, tmp_path):
    flags = tmp_path / "cpuinfo"
    flags.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n")
    monkeypatch.setattr(module, "CPU_FLAGS", flags)
    with pytest.raises(ModelError, match=r"AVX-512 BF16 or AMX, which this machine lacks\. Choose openvino,"):
        load_engine(tiny_folder, engine=NAME)
    flags.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\n")
    assert choose_engine(NAME) == NAME


@needs_bfloat16
def test_it_runs_the_graph_of_openvino(tiny_folder, exports):
    assert prepare_model(tiny_folder, engine=NAME, exports=exports) == prepare_model(
        tiny_folder, engine="openvino", exports=exports
    )
    engine = load_engine(tiny_folder, engine=NAME, exports=exports)
    assert (engine.name, engine.card.name) == (NAME, "tiny")


@needs_bfloat16
@pytest.mark.real_weights
def test_the_shipped_network_decides_the_same(samples, exports):
    exact, rounded = (Analyzer.from_folder(SHIPPED, engine=name, exports=exports) for name in ("openvino", NAME))
    images = [pixels for _, pixels in samples]
    inputs = preprocess_batch(images, parameters=exact.card.preprocessing)
    expected = exact.engine.predict(inputs)
    appearance = appearance_statistics(inputs, parameters=exact.card.preprocessing)
    received = predict(rounded.engine, inputs, detector=rounded.detector, appearance=appearance)
    np.testing.assert_allclose(received.logits, expected.logits, atol=LEAD_ERROR)
    for one, other in zip(exact.analyze(images), rounded.analyze(images), strict=True):
        assert (one.decision.outcome, one.decision.finding) == (other.decision.outcome, other.decision.finding)
        assert set(one.decision.possible) == set(other.decision.possible)
