"""The engines that are only measured return the results of Keras, too."""

import numpy as np
import pytest

from bench.engines_measured import MEASURED, is_installed, load_engine, prepare_model
from classifier.inference.engines import choose_engine
from classifier.inference.registry import ModelError
from tests.inference.conftest import make_tiny_model


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(params=MEASURED)
def name(request):
    if not is_installed(request.param):
        pytest.skip(f"the package of the engine {request.param} is not installed; requirements-bench.txt has it")
    return request.param


@pytest.mark.parametrize("name", MEASURED)
def test_the_product_does_not_offer_them(name):
    with pytest.raises(ModelError, match="ENGINE must be one of"):
        choose_engine(name)


def test_an_engine_gives_what_keras_gives(name, tiny_folder, tmp_path):
    inputs = np.random.default_rng(1).uniform(-1, 1, (3, 299, 299, 3)).astype(np.float32)
    expected = load_engine(tiny_folder, engine="keras").predict(inputs)
    engine = load_engine(tiny_folder, engine=name, exports=tmp_path)
    assert (engine.name, engine.card.name) == (name, "tiny")
    received = engine.predict(inputs)
    for field in expected._fields:
        np.testing.assert_allclose(getattr(received, field), getattr(expected, field), atol=1e-4, err_msg=field)


def test_engines_keep_their_graphs_apart(name, tiny_folder, tmp_path):
    paths = [prepare_model(tiny_folder, engine=engine, exports=tmp_path) for engine in ("openvino", name)]
    folders = [path for path in (tmp_path / "tiny").iterdir() if path.is_dir()]
    assert sorted(folders) == sorted(paths)
