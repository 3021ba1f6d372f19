"""Files cut or damaged anywhere: refused, or read whole; never half."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from classifier.intake import RefusedImage
from classifier.intake.decoding import decode_image
from classifier.intake.structure import jpeg_essentials, png_essentials
from devtools.corpus import GOOD_UPLOADS, dicoms, pngs
from devtools.corpus.pictures import SECRET, encoded, jpeg, picture, png, turned_jpeg

WHOLE = {
    "jpeg": jpeg(),
    "progressive": jpeg("RGB", progressive=True),
    "restarts": jpeg("RGB", restart_marker_rows=1),
    "png": png(),
    "rgba": png("RGBA"),
    "dicom": dicoms.windowed(),
    "jpeg-2000": dicoms.jpeg_2000(),
    "dicom-jpeg": dicoms.baseline_jpeg(),
    "run-length": dicoms.run_length(),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_refused_or_whole(kind: str):
    whole = WHOLE[kind]
    expected = decode_image(whole).sha256
    for end in range(0, len(whole), max(1, len(whole) // 60)):
        try:
            image = decode_image(whole[:end])
        except RefusedImage:
            continue
        assert image.sha256 == expected, f"half an image was read of {end} of {len(whole)} bytes"


@pytest.mark.parametrize("kind", ["jpeg", "restarts"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_jpeg_cut_and_closed_is_refused(kind: str, share: float):
    whole = WHOLE[kind]
    with pytest.raises(RefusedImage) as refusal:
        decode_image(whole[: int(len(whole) * share)] + b"\xff\xd9")
    assert refusal.value.code == "truncated"


@pytest.mark.parametrize("quality", [30, 75, 95, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_whole_jpegs_of_every_make_are_read(quality: int, subsampling: int, progressive: bool):
    made = {"quality": quality, "subsampling": subsampling, "progressive": progressive, "optimize": True}
    for width in (120, 121, 127, 128):
        image = encoded(picture("RGB").resize((width, 150)), "JPEG", **made)
        assert decode_image(image).width == width


def test_what_is_not_needed_for_the_pixels_is_left_out_of_a_jpeg():
    kept = jpeg_essentials(turned_jpeg(6) + b"payload").data
    assert b"payload" not in kept
    assert jpeg_essentials(jpeg(comment=SECRET, icc_profile=b"profile" * 50)).data == jpeg_essentials(jpeg()).data


def test_what_is_not_needed_for_the_pixels_is_left_out_of_a_png():
    carrying = pngs.with_chunks(pngs.chunk(b"tEXt", b"Name\0" + SECRET), pngs.chunk(b"iCCP", b"x\0\0y")) + b"payload"
    assert png_essentials(carrying).data == png()


def test_fill_bytes_before_a_marker_are_allowed():
    whole = jpeg()
    assert decode_image(whole[:2] + b"\xff\xff\xff" + whole[2:]).sha256 == decode_image(whole).sha256


def test_pixel_data_beyond_the_last_row_is_not_inflated():
    assert decode_image(pngs.pixel_bomb(megabytes=50)).pixels.max() == 0


def test_many_small_chunks_are_refused():
    with pytest.raises(RefusedImage) as refusal:
        decode_image(pngs.with_chunks(pngs.chunk(b"tEXt", b"a\0") * 60_000))
    assert refusal.value.code == "damaged"


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_a_pixel(depth: int):
    levels = 1 << depth
    image = Image.fromarray((np.asarray(picture()) // (256 // levels)).astype(np.uint8), mode="P")
    image.putpalette([value * 255 // (levels - 1) for value in range(levels) for _ in range(3)])
    pixels = decode_image(encoded(image, "PNG", bits=depth)).pixels
    assert len(np.unique(pixels)) <= levels
    assert pixels.max() == 255


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_anywhere_never_raises_anything_else(data: st.DataObject):
    whole = bytearray(WHOLE[data.draw(st.sampled_from(sorted(WHOLE)))])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode_image(bytes(whole))
    except RefusedImage:
        return
    assert image.pixels.dtype == np.uint8


def test_the_corpus_is_made_the_same_every_time():
    assert all(upload.make() == upload.make() for upload in GOOD_UPLOADS)
