"""DICOM files, with a patient's name in them that must not survive."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    MRImageStorage,
    RLELossless,
)

from devtools.corpus.pictures import SECRET, encoded, head_slice, jpeg, picture


def dicom(pixels: NDArray[Any] | None = None, *, syntax: UID = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    """Return a DICOM file.

    Args:
        pixels: Integer array (H, W), (H, W, 3), or (frames, H, W) with NumberOfFrames given; None for none at all.
        syntax: Transfer syntax written into the file; `elements["PixelData"]` must already be in it.
        elements: Further elements by keyword, which replace those derived from the pixels; None removes one.
    """
    dataset = FileDataset("", {}, file_meta=_meta(syntax), preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, "1.2.826.0.1.3680043.8.498.1"
    dataset.Modality, dataset.PatientName, dataset.PatientID = "MR", "DOE^JANE", "1957-03-11"
    dataset.PatientComments, dataset.StudyDescription = SECRET.decode(), SECRET.decode()
    dataset.private_block(0x0011, SECRET.decode()[:16], create=True).add_new(1, "LT", SECRET.decode())
    if pixels is not None:
        _describe(dataset, pixels)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 and not syntax.is_compressed else "OB"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def scanner_values(*, brightest: int = 1200, dtype: Any = np.uint16) -> NDArray[Any]:
    """Return the slice as a scanner stores it: 16 bits, most of them unused."""
    return (head_slice().astype(np.int64) * brightest // 255).astype(dtype)


def windowed(**elements: Any) -> bytes:
    """Return a 16-bit file whose window reaches from black to white of the slice."""
    return dicom(scanner_values(), **{"WindowCenter": 600.5, "WindowWidth": 1201, **elements})


def inverted() -> bytes:
    """Return an 8-bit MONOCHROME1 file: stored inverted, to be shown as the slice."""
    return dicom(255 - head_slice(), PhotometricInterpretation="MONOCHROME1", WindowCenter=128, WindowWidth=256)


def rescaled() -> bytes:
    """Return a signed file that must be rescaled before its window fits."""
    stored = scanner_values(dtype=np.int16) - 600
    window: dict[str, Any] = {"WindowCenter": [600.5, 40], "WindowWidth": [1201, 80]}
    return dicom(stored, RescaleSlope=1, RescaleIntercept=600, **window)


def jpeg_2000() -> bytes:
    frame = encoded(picture(), "JPEG2000", no_jp2=True, irreversible=False)
    return dicom(head_slice(), syntax=JPEG2000Lossless, PixelData=encapsulate([frame]), **_FULL)


def baseline_jpeg() -> bytes:
    return dicom(head_slice(), syntax=JPEGBaseline8Bit, PixelData=encapsulate([jpeg(quality=95)]), **_FULL)


def run_length() -> bytes:
    dataset = dcmread(io.BytesIO(dicom(head_slice(), **_FULL)))
    dataset.compress(RLELossless, generate_instance_uid=False)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def color() -> bytes:
    return dicom(
        np.dstack([head_slice()] * 3), PhotometricInterpretation="RGB", SamplesPerPixel=3, PlanarConfiguration=0
    )


def palette_color() -> bytes:
    return dicom(head_slice(), PhotometricInterpretation="PALETTE COLOR")


def multi_frame() -> bytes:
    return dicom(np.stack([head_slice()] * 3), NumberOfFrames=3)


def lying_jpeg_2000() -> bytes:
    """Return a file whose header says 150 by 120 and whose codestream says 60,000 by 60,000."""
    frame = bytearray(encoded(picture(), "JPEG2000", no_jp2=True))
    struct.pack_into(">II", frame, 8, 60_000, 60_000)
    return dicom(head_slice(), syntax=JPEG2000Lossless, PixelData=encapsulate([bytes(frame)]))


def cut_jpeg_2000() -> bytes:
    """Return a complete file around half a codestream."""
    frame = encoded(picture(), "JPEG2000", no_jp2=True)
    return dicom(head_slice(), syntax=JPEG2000Lossless, PixelData=encapsulate([frame[: len(frame) // 2]]))


def deflated_bomb(*, megabytes: int) -> bytes:
    """Return a file whose deflated data set inflates to that many megabytes."""
    meta = dicom(None, Modality="MR").partition(b"1.2.840.10008.1.2.1\0")
    # The deflated syntax is three characters longer, with its padding two, so two lengths before it grow.
    start = bytearray(meta[0])
    struct.pack_into("<H", start, len(start) - 2, 22)
    group_length = struct.unpack_from("<I", start, 140)[0] + 2
    struct.pack_into("<I", start, 140, group_length)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()
    rest = meta[2][: group_length + 144 - len(start) - 22]
    return bytes(start) + b"1.2.840.10008.1.2.1.99" + rest + body


_FULL: dict[str, Any] = {"WindowCenter": 128, "WindowWidth": 256}


def _meta(syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, UID("1.2.826.0.1.3680043.8.498.1")
    meta.TransferSyntaxUID = syntax
    return meta


def _describe(dataset: Dataset, pixels: NDArray[Any]) -> None:
    is_color = pixels.ndim == 3 and pixels.shape[-1] == 3
    dataset.Rows, dataset.Columns = pixels.shape[:2] if is_color else pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
