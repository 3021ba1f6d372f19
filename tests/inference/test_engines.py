"""Every engine returns the results of Keras."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from classifier.inference import engines
from classifier.inference.engines import base as base_module
from classifier.inference.engines import choose_engine, load_engine, openvino_bf16, thread_count
from classifier.inference.engines.keras import cut
from classifier.inference.preprocessing import preprocess_batch
from classifier.inference.registry import ModelError
from tests.inference.conftest import ROOT, SHIPPED

PROCESSOR_ENGINES = list(engines.ON_PROCESSORS)


def batch(count):
    return np.random.default_rng(1).uniform(-1, 1, (count, 299, 299, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def keras_tiny(tiny_folder):
    return load_engine(tiny_folder, engine="keras")


@pytest.fixture(scope="module", params=PROCESSOR_ENGINES)
def other_tiny(request, tiny_folder, exports):
    return load_engine(tiny_folder, engine=request.param, exports=exports)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_an_engine_gives_what_keras_gives(other_tiny, keras_tiny, count):
    inputs = batch(count)
    expected, received = keras_tiny.predict(inputs), other_tiny.predict(inputs)
    for name in expected._fields:
        wanted, got = getattr(expected, name), getattr(received, name)
        assert (got.shape, got.dtype) == (wanted.shape, np.float32)
        np.testing.assert_allclose(got, wanted, atol=1e-4, err_msg=name)


def test_results_of_one_pass_outlive_the_next(other_tiny):
    first = other_tiny.predict(batch(1))
    kept = [array.copy() for array in first]
    other_tiny.predict(-batch(2))
    for array, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", ["keras", *PROCESSOR_ENGINES])
def test_an_engine_knows_its_name_and_card(name, tiny_folder, exports):
    engine = load_engine(tiny_folder, engine=name, exports=exports)
    assert (engine.name, engine.card.name) == (name, "tiny")


@pytest.mark.real_weights
@pytest.mark.parametrize("name", PROCESSOR_ENGINES)
def test_the_shipped_network_says_the_same_on_every_engine(name, samples, exports):
    reference = load_engine(SHIPPED, engine="keras")
    inputs = preprocess_batch((pixels for _, pixels in samples), parameters=reference.card.preprocessing)
    expected = reference.predict(inputs)
    received = load_engine(SHIPPED, engine=name, exports=exports).predict(inputs)
    np.testing.assert_array_equal(received.logits.argmax(1), expected.logits.argmax(1))
    np.testing.assert_allclose(received.logits, expected.logits, atol=1e-3)
    np.testing.assert_allclose(received.class_maps, expected.class_maps, atol=1e-2)
    np.testing.assert_allclose(received.features, expected.features, atol=1e-3)


@pytest.mark.parametrize(
    ("count", "pads", "pieces"),
    [
        (1, False, [1]),
        (3, False, [1, 1, 1]),
        (3, True, [4]),
        (2, True, [1, 1]),
        (7, True, [4, 4]),
        (40, False, [16, 16, 4, 4]),
        (40, True, [64]),
        (130, True, [64, 64, 1, 1]),
    ],
)
def test_batches_are_cut_to_few_sizes(count, pads, pieces):
    assert cut(count, pads=pads) == pieces


def test_padding_changes_no_result(keras_tiny, monkeypatch):
    inputs = batch(7)
    expected = keras_tiny.predict(inputs)
    monkeypatch.setattr(keras_tiny, "_pads", True)
    received = keras_tiny.predict(inputs)
    for wanted, got in zip(expected, received, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_an_engine_that_is_not_installed_says_what_to_install(tiny_folder, monkeypatch):
    monkeypatch.setattr(engines, "is_installed", lambda name: name == "keras")
    with pytest.raises(ModelError, match=r"ENGINE=openvino needs the package openvino.*Install it"):
        load_engine(tiny_folder, engine="openvino")


def test_auto_takes_the_fastest_that_is_installed(monkeypatch):
    monkeypatch.setattr(engines, "gpu_usable", lambda: False)
    for computes, expected in [(True, "openvino_bf16"), (False, "openvino")]:
        monkeypatch.setattr(openvino_bf16, "is_computed_here", lambda computes=computes: computes)
        assert choose_engine("auto") == expected
    monkeypatch.setattr(engines, "is_installed", lambda name: name == "keras")
    assert choose_engine("auto") == "keras"


def test_auto_takes_keras_where_a_gpu_can_be_used(monkeypatch):
    monkeypatch.setattr(engines, "gpu_usable", lambda: True)
    assert choose_engine("auto") == "keras"


def test_a_gpu_that_keras_cannot_use_is_none(monkeypatch, tmp_path):
    """The device is there, the driver or a TensorFlow for it is not: Keras itself is asked."""
    device = tmp_path / "nvidiactl"
    device.touch()
    monkeypatch.setattr(engines, "GPU_DEVICES", (str(device),))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    engines.gpu_usable.cache_clear()
    assert not engines.gpu_usable()
    engines.gpu_usable.cache_clear()


def test_threads_keep_to_a_containers_quota(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)), raising=False)
    monkeypatch.setattr(base_module, "CPU_QUOTA", tmp_path / "cpu.max")
    assert thread_count() == 12
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert thread_count() == 12
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert thread_count() == 3


def test_an_analysis_on_a_processor_loads_neither_tensorflow_nor_telemetry(tiny_folder, exports):
    """What the worker does, in a fresh process: find the graph, load it, analyze an image."""
    engines.prepare_model(tiny_folder, engine="openvino", exports=exports)
    program = (
        "import json, sys; from pathlib import Path; import numpy as np\n"
        "from classifier.inference.analyzer import Analyzer\n"
        f"analyzer = Analyzer.from_folder(Path({str(tiny_folder)!r}), engine='openvino', "
        f"exports=Path({str(exports)!r}))\n"
        "analyzer.analyze([np.zeros((64, 64), np.uint8)])\n"
        "loaded = {name.split('.')[0] for name, module in sys.modules.items() if module is not None}\n"
        "print(json.dumps(sorted(loaded & {'tensorflow', 'keras', 'jax', 'torch', 'openvino_telemetry', 'django'})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
