"""From the bytes of a file to its canonical image. Only the child processes of `fork_server` import this module."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from classifier.intake import dicom, raster
from classifier.intake.canonical import CanonicalImage
from classifier.intake.limits import MAX_ASPECT, MAX_PIXELS, MIN_SIDE
from classifier.intake.refusals import RefusedImage
from classifier.intake.sniffing import SourceFormat, describe, source_format


def decode_image(data: bytes) -> CanonicalImage:
    """Check type and declared size, decode, and reduce to the canonical form.

    Args:
        data: The whole file, of at most `MAX_BYTES`.

    Raises:
        RefusedImage: If the file cannot become a scan.
    """
    kind = source_format(data)
    if kind is None:
        raise RefusedImage("wrong_type", kind=describe(data))
    return CanonicalImage.from_pixels(_decode(data, kind=kind), source_format=kind)


def warm_up() -> None:
    """Decode a small image of each kind, so that what decoders load at their first use is there before a fork."""
    side = 2 * MIN_SIDE
    gray = Image.linear_gradient("L").resize((side, side))
    for kind in ("JPEG", "PNG"):
        buffer = io.BytesIO()
        gray.save(buffer, format=kind)
        decode_image(buffer.getvalue())
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows = dataset.Columns = side
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.WindowCenter, dataset.WindowWidth = 128, 256
    dataset.PixelData = gray.tobytes()
    dicom.decode(dataset)


def _decode(data: bytes, *, kind: SourceFormat) -> NDArray[np.uint8]:
    if kind == "DICOM":
        dataset = dicom.open_single_frame(data)
        _check_size(width=dataset.Columns, height=dataset.Rows)
        return dicom.decode(dataset)
    file = raster.essentials(data, source_format=kind)
    _check_size(width=file.width, height=file.height)
    return raster.decode(file, source_format=kind)


def _check_size(*, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise RefusedImage("damaged")
    if width * height > MAX_PIXELS:
        raise RefusedImage("too_many_pixels")
    if min(width, height) < MIN_SIDE:
        raise RefusedImage("too_small", width=width, height=height)
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise RefusedImage("too_thin", width=width, height=height)
