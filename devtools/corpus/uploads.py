"""Entries of the corpus."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a browser sends it.

    Attributes:
        name: What it is, in a few words with dashes; names tests and rows of tables.
        filename: The name it is sent under, which may lie.
        content_type: The type it is sent under, which may lie.
        make: Builds its bytes, the same ones every time.
    """

    name: str
    filename: str
    content_type: str
    make: Callable[[], bytes]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class BadUpload(Upload):
    """A file to refuse.

    Attributes:
        code: The refusal it must get.
    """

    code: str

    __str__ = Upload.__str__


@dataclass(frozen=True, slots=True)
class GoodUpload(Upload):
    """A file to read.

    Attributes:
        source_format: What it really is: "JPEG", "PNG" or "DICOM".
        exact: Whether its pixels must equal `head_slice()`; otherwise they only look like it.
    """

    source_format: str
    exact: bool = False

    __str__ = Upload.__str__
