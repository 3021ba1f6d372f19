"""From the bytes of an upload to canonical pixels, or to a refusal in words. Does not import Django."""

from classifier.intake.canonical import CanonicalImage, read_canonical, thumbnail_png
from classifier.intake.client import ReaderUnavailable
from classifier.intake.limits import MAX_BYTES, MAX_PIXELS
from classifier.intake.reading import read_image, start_reader
from classifier.intake.refusals import REFUSAL_CODES, RefusedImage

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "REFUSAL_CODES",
    "CanonicalImage",
    "ReaderUnavailable",
    "RefusedImage",
    "read_canonical",
    "read_image",
    "start_reader",
    "thumbnail_png",
]
