"""DICOM: shown as the file says, and nothing of the patient kept."""

import io

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML

from classifier.intake import RefusedImage, read_image
from classifier.intake.dicom import open_single_frame
from devtools.corpus import dicoms, head_slice
from devtools.corpus.dicoms import dicom, scanner_values


def code_of(data: bytes) -> str:
    with pytest.raises(RefusedImage) as refusal:
        read_image(data)
    return refusal.value.code


def ramp_of(values: list[int], *, dtype: type = np.uint16) -> np.ndarray:
    """An image of 64 rows, each column of which holds one of the values."""
    return np.tile(np.array(values, dtype=dtype), (64, 64 // len(values)))


def shades(values: list[int], **elements: object) -> list[int]:
    """The shades a file's values are shown in."""
    dtype = np.int16 if min(values) < 0 else np.uint16
    return read_image(dicom(ramp_of(values, dtype=dtype), **elements)).pixels[0, : len(values)].tolist()


# PS3.3 C.11.2.1.2: center 100 and width 101 reach from 49.5 to 149.5 for LINEAR, 49.5 to 150.5 for LINEAR_EXACT.
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", [0, 1, 127, 130, 254, 255, 255, 255]),
        ("LINEAR_EXACT", [0, 1, 125, 128, 250, 253, 255, 255]),
    ],
)
def test_window_functions(function: str, expected: list[int]):
    values = [0, 50, 99, 100, 149, 150, 151, 4000]
    shown = shades(values, WindowCenter=100, WindowWidth=101, VOILUTFunction=function)
    np.testing.assert_allclose(shown, expected, atol=1)


def test_sigmoid_window():
    shown = shades([0, 60, 100, 140], WindowCenter=100, WindowWidth=80, VOILUTFunction="SIGMOID")
    np.testing.assert_allclose(shown, [255 / (1 + np.exp(-4 * (v - 100) / 80)) for v in (0, 60, 100, 140)], atol=1)


def test_rescaling_comes_before_the_window():
    shown = shades([-1000, 0, 500, 1000], RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=0, WindowWidth=2001)
    np.testing.assert_allclose(shown, [0, 0, 128, 255], atol=1)


def test_the_first_of_several_windows_counts():
    one = dicom(scanner_values(), WindowCenter=600, WindowWidth=1200)
    two = dicom(scanner_values(), WindowCenter=[600, 40], WindowWidth=[1200, 80])
    assert read_image(one).sha256 == read_image(two).sha256


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 600, "WindowWidth": 0},
        {"WindowCenter": 600, "WindowWidth": -5},
        {"WindowCenter": 600},
        {"WindowCenter": 90_000, "WindowWidth": 10},
        {"WindowCenter": [], "WindowWidth": []},
    ],
    ids=["zero", "negative", "no-width", "misses-the-image", "empty"],
)
def test_a_window_that_means_nothing_is_passed_over(window: dict[str, object]):
    expected = read_image(dicom(scanner_values()))
    assert read_image(dicom(scanner_values(), **window)).sha256 == expected.sha256
    assert expected.pixels.max() == 255


def test_padding_does_not_count_when_the_window_is_missing():
    values = scanner_values(dtype=np.int16)
    padded = values.copy()
    padded[:40] = -2000
    pixels = read_image(dicom(padded, PixelPaddingValue=-2000)).pixels
    np.testing.assert_allclose(pixels[40:], read_image(dicom(values)).pixels[40:], atol=2)


def test_a_voi_table_goes_before_the_window():
    table = Dataset()
    table.LUTDescriptor = [256, 0, 8]
    table.LUTData = bytes(255 - value for value in range(256))
    table["LUTData"].VR = "OW"
    elements = {"VOILUTSequence": [table], "WindowCenter": 128, "WindowWidth": 256}
    table.LUTData = b"".join((255 - value).to_bytes(2, "little") for value in range(256))
    pixels = read_image(dicom(head_slice(), **elements)).pixels
    np.testing.assert_array_equal(pixels, 255 - head_slice())


def test_monochrome1_without_window_is_inverted():
    straight = read_image(dicom(scanner_values())).pixels.astype(int)
    inverted = read_image(dicom(scanner_values(), PhotometricInterpretation="MONOCHROME1")).pixels
    np.testing.assert_allclose(inverted, 255 - straight, atol=1)


def test_an_image_of_one_value_is_read():
    assert read_image(dicom(np.full((64, 64), 700, dtype=np.uint16))).pixels.shape == (64, 64)


def test_nothing_about_the_patient_is_parsed():
    dataset = open_single_frame(dicoms.windowed())
    words = ("Patient", "Study", "Institution", "Physician", "InstanceUID")
    assert not [element.keyword for element in dataset if element.tag.is_private or element.keyword.startswith(words)]
    assert "DOE" not in str(dataset)


# Files of pydicom's own test set, one a transfer syntax, of one and the same 64 by 64 MR image.
@pytest.mark.parametrize(
    "name",
    [
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_every_transfer_syntax_gives_the_same_pixels(name: str):
    assert read_image(stored(name)).sha256 == read_image(stored("MR_small.dcm")).sha256


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG2000.dcm", "693_J2KI.dcm", "CT_small.dcm"])
def test_lossy_and_signed_files_show_something(name: str):
    pixels = read_image(stored(name)).pixels
    assert pixels.std() > 20


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("MR_truncated.dcm", "truncated"),
        ("image_dfl.dcm", "dicom_unsupported"),
        ("SC_rgb_jpeg_dcmtk.dcm", "dicom_colour"),
        ("examples_palette.dcm", "dicom_colour"),
        ("rtdose.dcm", "dicom_multi_frame"),
        ("test-SR.dcm", "dicom_no_pixels"),
        ("rtplan.dcm", "dicom_no_pixels"),
    ],
)
def test_files_of_other_makers_are_refused_in_words(name: str, code: str):
    assert code_of(stored(name)) == code


def stored(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), f"pydicom no longer brings {name}"
    with open(path, "rb") as file:
        return file.read()


def test_floating_point_pixels_are_refused():
    dataset = dcmread(io.BytesIO(dicoms.windowed()))
    dataset.FloatPixelData = dataset.PixelData
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert code_of(buffer.getvalue()) == "dicom_unsupported"


def test_values_over_too_wide_a_span_are_refused():
    wide = np.zeros((64, 64), dtype=np.uint32)
    wide[0, 0] = 1 << 24
    assert code_of(dicom(wide)) == "dicom_unsupported"


def test_a_film_is_refused():
    assert code_of(dicom(head_slice(), syntax=MPEG2MPML, PixelData=encapsulate([b"\0\0\1\xb3"]))) == "dicom_unsupported"


@pytest.mark.parametrize("element", ["Rows", "BitsAllocated", "PhotometricInterpretation", "SamplesPerPixel"])
def test_an_image_that_does_not_say_what_it_is_is_refused(element: str):
    data = dcmread(io.BytesIO(dicoms.windowed()))
    delattr(data, element)
    buffer = io.BytesIO()
    data.save_as(buffer)
    assert code_of(buffer.getvalue()) == "damaged"
