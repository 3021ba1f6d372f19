"""The canonical form: its hash, its thumbnail, and back."""

import io

import numpy as np
import pytest
from PIL import Image

from classifier.intake import CanonicalImage, read_canonical, read_image, thumbnail_png
from classifier.intake.grayscale import from_16_bit
from devtools.corpus import head_slice
from devtools.corpus.pictures import jpeg, png


def canonical(pixels: np.ndarray) -> CanonicalImage:
    return CanonicalImage.from_pixels(pixels, source_format="PNG")


def test_the_hash_is_that_of_shape_and_pixels():
    import hashlib

    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert canonical(pixels).sha256 == hashlib.sha256(b"2x3:\x00\x01\x02\x03\x04\x05").hexdigest()


def test_the_same_bytes_in_another_shape_are_another_picture():
    flat = np.arange(64, dtype=np.uint8)
    assert canonical(flat.reshape(4, 16)).sha256 != canonical(flat.reshape(16, 4)).sha256


def test_turned_views_hash_as_what_they_show():
    assert canonical(head_slice().T).sha256 == canonical(head_slice().T.copy()).sha256


@pytest.mark.parametrize(
    ("shape", "side", "size"),
    [
        ((600, 400), 160, (107, 160)),
        ((400, 600), 160, (160, 107)),
        ((100, 80), 160, (80, 100)),
        ((800, 100), 4, (1, 4)),
    ],
)
def test_thumbnails_keep_their_proportions(shape: tuple[int, int], side: int, size: tuple[int, int]):
    with Image.open(io.BytesIO(thumbnail_png(canonical(np.zeros(shape, dtype=np.uint8)), side=side))) as thumbnail:
        assert (thumbnail.format, thumbnail.mode, thumbnail.size) == ("PNG", "L", size)


def test_what_is_stored_is_read_back():
    image = read_image(png())
    np.testing.assert_array_equal(read_canonical(image.png), head_slice())


@pytest.mark.parametrize("stored", [b"", b"not a png", jpeg(), png("RGB"), png()[:500]], ids=range(5))
def test_anything_else_is_not_a_canonical_image(stored: bytes):
    with pytest.raises(ValueError, match="Received: "):
        read_canonical(stored)


@pytest.mark.parametrize("pixels", [np.zeros((4, 4)), np.zeros((4, 4, 3), dtype=np.uint8)])
def test_only_grayscale_bytes_become_canonical(pixels: np.ndarray):
    with pytest.raises(ValueError, match="Received: "):
        canonical(pixels)


def test_16_bits_that_use_their_range_equal_the_8_bit_export():
    np.testing.assert_array_equal(from_16_bit(head_slice().astype(np.uint16) * 257), head_slice())


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_raw_values_are_spread_to_be_seen(bits: int):
    values = head_slice().astype(np.uint16) << (bits - 8)
    pixels = from_16_bit(values)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.corrcoef(pixels.reshape(-1), head_slice().reshape(-1))[0, 1] > 0.999


def test_one_hot_pixel_does_not_darken_the_rest():
    values = head_slice().astype(np.uint16)
    values[0, 0] = 30_000
    assert from_16_bit(values).mean() > head_slice().mean() / 2
