"""Messages between a web process and a reading child.

The file goes in chunks of known length, of which an empty one ends it; the child answers with one reply. The child has
met a hostile file, so its reply is plain fields that are checked, never a pickle.
"""

import json
import signal
import socket
import struct
import time
from typing import Final

import numpy as np

from classifier.intake.canonical import CanonicalImage, pixel_hash
from classifier.intake.limits import MAX_STORED_SIDE
from classifier.intake.refusals import RefusedImage

READY: Final = b"+"
"""A child has been forked and takes the file."""
IMAGE: Final = b"I"
REFUSAL: Final = b"R"
ERROR: Final = b"E"
"""Reading raised something else; the payload is the traceback."""
ENDED: Final = b"X"
"""From the fork server: the child ended without a reply; the payload is its exit code, negative for a signal."""

_FORMATS: Final = ("JPEG", "PNG", "DICOM")
_LENGTH: Final = struct.Struct(">I")
_HEAD: Final = struct.Struct(">cI")
_IMAGE: Final = struct.Struct(">HHB")
# Pixels and their PNG, which is hardly larger than they are even if nothing can be compressed.
_MAX_REPLY: Final = 3 * MAX_STORED_SIDE**2


class BrokenReply(Exception):
    """The other end closed its socket during a message, or sent an invalid message."""


def send_chunk(connection: socket.socket, part: bytes) -> None:
    """Send a chunk of the file; an empty one ends it."""
    connection.sendall(_LENGTH.pack(len(part)))
    connection.sendall(part)


def receive_file(connection: socket.socket) -> bytes:
    """Receive all chunks of a file."""
    parts = []
    while length := _LENGTH.unpack(_receive(connection, _LENGTH.size))[0]:
        parts.append(_receive(connection, length))
    return b"".join(parts)


def send_image(connection: socket.socket, image: CanonicalImage) -> None:
    """Reply with an image."""
    head = _IMAGE.pack(image.height, image.width, _FORMATS.index(image.source_format))
    send_reply(connection, IMAGE, head + image.pixels.tobytes() + image.png)


def send_refusal(connection: socket.socket, refusal: RefusedImage) -> None:
    """Reply with a refusal."""
    content = {"code": refusal.code, "values": refusal.values}
    send_reply(connection, REFUSAL, json.dumps(content).encode("ascii"))


def send_reply(connection: socket.socket, kind: bytes, payload: bytes) -> None:
    """Reply with a message of a kind."""
    connection.sendall(_HEAD.pack(kind, len(payload)) + payload)


def receive_reply(connection: socket.socket, *, seconds: float) -> tuple[bytes, bytearray]:
    """Return kind and payload of the reply.

    Raises:
        TimeoutError: If it is not complete after `seconds`.
        BrokenReply: If it is not a reply.
    """
    deadline = time.monotonic() + seconds
    kind, length = _HEAD.unpack(_receive(connection, _HEAD.size, deadline=deadline))
    if length > _MAX_REPLY:
        raise BrokenReply(f"A reply has at most {_MAX_REPLY} bytes. Received: {length}")
    return kind, _receive(connection, length, deadline=deadline)


def parsed_image(payload: bytearray) -> CanonicalImage:
    """Rebuild the image of a reply."""
    if len(payload) < _IMAGE.size:
        raise BrokenReply(f"An image has a head of {_IMAGE.size} bytes. Received: {len(payload)}")
    height, width, number = _IMAGE.unpack_from(payload)
    end = _IMAGE.size + height * width
    if not 0 < height * width <= MAX_STORED_SIDE**2 or number >= len(_FORMATS) or len(payload) <= end:
        raise BrokenReply(f"Not an image. Received: {height}, {width}, {number} and {len(payload)} bytes")
    pixels = np.frombuffer(payload, dtype=np.uint8, count=height * width, offset=_IMAGE.size).reshape(height, width)
    pixels.flags.writeable = False
    return CanonicalImage(pixels, source_format=_FORMATS[number], png=bytes(payload[end:]), sha256=pixel_hash(pixels))


def parsed_refusal(payload: bytearray) -> RefusedImage:
    """Rebuild the refusal of a reply."""
    try:
        content = json.loads(payload)
        return RefusedImage(content["code"], **content["values"])
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenReply(f"Not a refusal. Received: {bytes(payload[:200])!r}") from error


def parsed_exit_code(payload: bytearray) -> int:
    """Return the exit code of a child that ended without a reply; negative for a signal."""
    try:
        code = int(payload)
    except ValueError as error:
        raise BrokenReply(f"Not an exit code. Received: {bytes(payload[:200])!r}") from error
    if not -signal.NSIG < code < 256:
        raise BrokenReply(f"Not an exit code. Received: {code}")
    return code


def _receive(connection: socket.socket, size: int, *, deadline: float | None = None) -> bytearray:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        if deadline is not None:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
        count = connection.recv_into(view)
        if not count:
            raise BrokenReply(f"The connection ended. Missing: {len(view)} of {size} bytes")
        view = view[count:]
    return buffer
