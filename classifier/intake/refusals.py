"""Why an upload is refused, in words for the person who uploaded it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from classifier.intake.limits import MAX_ASPECT, MAX_BYTES, MAX_PIXELS, MIN_SIDE

REFUSAL_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "empty": "The file is empty; export the image again and upload the new file.",
        "too_large": (
            f"The file is larger than {MAX_BYTES // 2**20} MB; "
            "upload one slice at a time, as a JPEG, PNG, or DICOM image."
        ),
        "wrong_type": "The file is {kind}; upload the slice as a JPEG, PNG, or DICOM image.",
        "too_many_pixels": (
            f"The image has more than {MAX_PIXELS // 10**6} million pixels; "
            "export it at a smaller size and upload it again."
        ),
        "too_small": (
            "The image measures only {width} by {height} pixels; upload the slice at its original size, "
            f"at least {MIN_SIDE} by {MIN_SIDE}."
        ),
        "too_thin": (
            "The image is a strip of {width} by {height} pixels, "
            f"more than {MAX_ASPECT} times longer one way than the other; upload the whole slice."
        ),
        "truncated": ("The file ends before the image is complete; copy or export it again and upload the new file."),
        "damaged": ("The image in this file is damaged and cannot be read; export it again and upload the new file."),
        "too_demanding": (
            "Reading the file takes too much time or memory; "
            "export the image as a plain JPEG or PNG file and upload that."
        ),
        "animated": ("The file is an animation of several pictures; upload each slice as a still image of its own."),
        "dicom_no_pixels": (
            "The DICOM file holds no image data; choose another file of the series, or export the slice again."
        ),
        "dicom_multi_frame": (
            "The DICOM file holds {frames} frames; export the slice you want as a single-frame file and upload that."
        ),
        "dicom_colour": "The DICOM image is in color; upload the original grayscale MR slice instead.",
        "dicom_unsupported": (
            "The DICOM file stores its image in a way that isn't supported; "
            "export it uncompressed, or as JPEG or PNG, and upload that."
        ),
    }
)
"""Every refusal code with its sentence; the names in braces are filled in for the file at hand."""


class RefusedImage(Exception):
    """An upload that cannot become a scan. Its text is one plain sentence for the person who uploaded it.

    Attributes:
        code: Stable name of the reason, a key of `REFUSAL_CODES`.
        values: What its sentence was filled in with.
        message: A sentence with the problem and the remedy. The same as `str(error)`. Never quotes the file.
    """

    def __init__(self, code: str, **values: str | int) -> None:
        """Fill the sentence of `code` with `values`.

        Raises:
            ValueError: If the code is unknown.
        """
        if code not in REFUSAL_CODES:
            raise ValueError(f"A refusal needs one of the codes {sorted(REFUSAL_CODES)}. Received: {code!r}")
        self.code = code
        self.values = values
        self.message = REFUSAL_CODES[code].format(**values)
        super().__init__(self.message)
