"""How an upload flows through intake, over the whole corpus."""

import io

import numpy as np
import pytest
from PIL import Image

from classifier.intake import MAX_BYTES, REFUSAL_CODES, RefusedImage, read_canonical, read_image
from classifier.intake.limits import MAX_STORED_SIDE
from devtools.corpus import BAD_UPLOADS, GOOD_UPLOADS, BadUpload, GoodUpload, head_slice
from devtools.corpus.pictures import SECRET, encoded, jpeg, picture, png, turned_jpeg


def tiles(pixels, side=10):
    """Means over squares: what remains of a picture when dithering and compression are looked past."""
    height, width = (length // side * side for length in pixels.shape)
    return pixels[:height, :width].reshape(height // side, side, width // side, side).mean(axis=(1, 3))


@pytest.mark.parametrize("upload", BAD_UPLOADS, ids=str)
def test_every_bad_file_gets_its_sentence(upload: BadUpload):
    with pytest.raises(RefusedImage) as refusal:
        read_image(io.BytesIO(upload.make()))
    assert refusal.value.code == upload.code
    assert str(refusal.value) == refusal.value.message
    assert refusal.value.message.endswith(".")
    assert "{" not in refusal.value.message


@pytest.mark.parametrize("upload", GOOD_UPLOADS, ids=str)
def test_every_good_file_shows_the_same_picture(upload: GoodUpload):
    image = read_image(io.BytesIO(upload.make()))
    assert image.source_format == upload.source_format
    assert image.pixels.shape == head_slice().shape
    if upload.exact:
        np.testing.assert_array_equal(image.pixels, head_slice())
    else:
        np.testing.assert_allclose(tiles(image.pixels), tiles(head_slice()), atol=12)


@pytest.mark.parametrize("upload", GOOD_UPLOADS, ids=str)
def test_nothing_but_pixels_survives(upload: GoodUpload):
    image = read_image(upload.make())
    with Image.open(io.BytesIO(image.png)) as stored:
        stored.load()
        assert (stored.format, stored.mode, stored.info) == ("PNG", "L", {})
    for payload in (SECRET, b"DOE", b"<html", b"PK\x03\x04", b"Exif"):
        assert payload not in image.png
    np.testing.assert_array_equal(read_canonical(image.png), image.pixels)


def test_files_that_hide_something_really_hide_it():
    carriers = {"jpeg-zip-polyglot", "jpeg-html-polyglot", "png-with-text", "exif-turned-jpeg-6", "dicom"}
    hiding = {upload.name for upload in GOOD_UPLOADS if SECRET in upload.make()}
    assert carriers <= hiding


def test_a_corpus_covers_every_refusal():
    assert {upload.code for upload in BAD_UPLOADS} == set(REFUSAL_CODES)


def test_corpus_names_are_unique():
    names = [upload.name for upload in (*BAD_UPLOADS, *GOOD_UPLOADS)]
    assert len(names) == len(set(names))


def test_bytes_and_streams_are_read_alike():
    assert read_image(jpeg()).sha256 == read_image(io.BytesIO(jpeg())).sha256


class Dribble(io.RawIOBase):
    """A stream that never ends and gives little at a time, and counts what it gave."""

    def __init__(self, start: bytes = b"") -> None:
        self.start = io.BytesIO(start)
        self.given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "read without a limit"
        part = self.start.read(min(size, 70_000)) or bytes(min(size, 70_000))
        self.given += len(part)
        return part


def test_a_stream_over_the_limit_is_not_read_to_its_end():
    stream = Dribble(jpeg())
    with pytest.raises(RefusedImage) as refusal:
        read_image(stream)
    assert refusal.value.code == "too_large"
    assert stream.given == MAX_BYTES + 1


def test_a_file_of_exactly_the_limit_is_read():
    assert read_image(png().ljust(MAX_BYTES, b"\0")).width == head_slice().shape[1]


def test_size_is_judged_before_type():
    with pytest.raises(RefusedImage) as refusal:
        read_image(b"<html>".ljust(MAX_BYTES + 1))
    assert refusal.value.code == "too_large"


def test_the_same_picture_has_the_same_hash_in_any_lossless_file():
    hashes = {read_image(upload.make()).sha256 for upload in GOOD_UPLOADS if upload.exact}
    assert len(hashes) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_photographs_are_set_upright(orientation: int):
    pixels = read_image(turned_jpeg(orientation)).pixels
    assert np.abs(pixels.astype(int) - head_slice()).mean() < 2


def test_unreadable_exif_does_not_stop_an_image():
    whole = jpeg()
    broken = b"\xff\xe1\x00\x20Exif\0\0" + b"\xee" * 24
    image = read_image(whole[:2] + broken + whole[2:])
    assert image.sha256 == read_image(whole).sha256


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_images_larger_than_the_stored_side_are_reduced(kind: str):
    large = picture().resize((3000, 3750), Image.Resampling.BICUBIC)
    image = read_image(encoded(large, kind))
    assert (image.width, image.height) == (1638, MAX_STORED_SIDE)
    shrunk = np.asarray(Image.fromarray(image.pixels).resize(head_slice().shape[::-1], Image.Resampling.BOX))
    np.testing.assert_allclose(tiles(shrunk), tiles(head_slice()), atol=6)


def test_pixels_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="read-only"):
        read_image(png()).pixels[0, 0] = 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7", "a PDF document"),
        (b"\xef\xbb\xbf <svg></svg>", "an SVG drawing"),
        (b"<html></html>", "a web page"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"....ftypheic", "a HEIC photograph"),
        (b"hello", "of an unsupported type"),
    ],
)
def test_the_sentence_names_what_the_file_is(data: bytes, words: str):
    with pytest.raises(RefusedImage, match=words):
        read_image(data)


def test_a_refusal_needs_a_known_code():
    with pytest.raises(ValueError, match="Received: 'boring'"):
        RefusedImage("boring")
