"""The models that a worker keeps: loaded once, the oldest dropped at the limit."""

from types import SimpleNamespace

import pytest

from classifier.inference.registry import ModelError
from classifier.worker.loaded_models import LoadedModels, resident_bytes

COST = {"a": 100, "b": 200, "c": 300}


class Loader:
    """Loads models that cost memory, and counts how often."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.resident = 1000

    def load(self, name: str) -> SimpleNamespace:
        if name not in COST:
            raise ModelError(f"{name} does not exist.")
        self.loads.append(name)
        self.resident += COST[name]
        return SimpleNamespace(card=SimpleNamespace(version="1"), engine_name="none")


@pytest.fixture
def loader() -> Loader:
    return Loader()


def models_of(loader: Loader, *, limit: int) -> LoadedModels:
    return LoadedModels(loader.load, limit_bytes=limit, memory=lambda: loader.resident)


def test_a_model_is_loaded_once(loader):
    models = models_of(loader, limit=1000)
    assert models.get("a") is models.get("a")
    assert loader.loads == ["a"]


def test_the_one_used_longest_ago_makes_room(loader):
    models = models_of(loader, limit=450)
    for name in ("a", "b", "a", "c"):
        models.get(name)
    assert models.names() == ["a", "c"]
    models.get("b")
    assert loader.loads == ["a", "b", "c", "b"]


def test_the_default_always_stays(loader):
    models = models_of(loader, limit=350)
    models.get("a", pin=True)
    for name in ("b", "c", "b"):
        models.get(name)
    assert models.names() == ["a", "b"]
    assert loader.loads.count("a") == 1


def test_a_model_larger_than_the_limit_still_works(loader):
    models = models_of(loader, limit=10)
    models.get("a", pin=True)
    models.get("c")
    assert models.names() == ["a", "c"]


def test_a_model_that_cannot_be_loaded_drops_no_other(loader):
    models = models_of(loader, limit=100)
    models.get("a")
    with pytest.raises(ModelError):
        models.get("x")
    assert models.names() == ["a"]


def test_it_tells_what_is_loaded(loader):
    models = models_of(loader, limit=1000)
    models.get("b")
    assert models.as_dict() == {"b": {"version": "1", "bytes": 200}}


def test_the_resident_memory_is_that_of_this_process():
    assert 10 * 2**20 < resident_bytes() < 64 * 2**30
