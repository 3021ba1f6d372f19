"""Read an upload: its size is checked here, everything else in a child process with limits."""

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

from classifier.intake import client
from classifier.intake.canonical import CanonicalImage
from classifier.intake.limits import MAX_BYTES
from classifier.intake.refusals import RefusedImage

_READ_AT_ONCE: Final = 1 << 20


def read_image(stream: BinaryIO | bytes) -> CanonicalImage:
    """Turn an uploaded file into canonical pixels.

    Safe to call from several threads. The first call of a process starts the helper process that reads the files,
    unless `start_reader` did.

    Args:
        stream: The file's bytes, or a binary stream at its start, of which at most `MAX_BYTES` + 1 are read.

    Returns:
        The canonical image. Nothing of the original file but its pixels is in it.

    Raises:
        RefusedImage: If the file cannot become a scan, with a sentence for the person who uploaded it.
        ReaderUnavailable: If the helper process cannot be started.
    """
    return client.shared().read(_limited(io.BytesIO(stream) if isinstance(stream, bytes) else stream))


def start_reader() -> None:
    """Start the helper process now, so that the first upload does not wait for its imports."""
    client.shared().start()


def _limited(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a stream, which may deliver fewer bytes than asked for, in parts, and stop when it is over the limit."""
    total = 0
    while part := stream.read(min(_READ_AT_ONCE, MAX_BYTES + 1 - total)):
        total += len(part)
        if total > MAX_BYTES:
            raise RefusedImage("too_large")
        yield part
    if not total:
        raise RefusedImage("empty")
