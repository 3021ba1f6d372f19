"""The elements of a DICOM file that make its picture, found without parsing any other (PS3.5 section 7).

pydicom parses every item of every sequence of undefined length, also of unused ones, at 35 microseconds
each. Here the others are only counted and skipped, and the length of each wanted element is checked before it is cut
out. The leniencies are pydicom's: implicit elements inside explicit files, and unknown value representations.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydicom.datadict import dictionary_VR
from pydicom.filereader import ENCODED_VR
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from classifier.intake.limits import MAX_DICOM_DEPTH, MAX_FRAGMENTS, MAX_PARTS
from classifier.intake.refusals import RefusedImage

_LONG_VR: Final = frozenset(vr.encode("ascii") for vr in EXPLICIT_VR_LENGTH_32)
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


@dataclass(frozen=True, slots=True)
class Element:
    """One element as it stands in the file.

    Attributes:
        tag: Group and number, for example 0x00280010.
        vr: Value representation, or None if the file does not state it.
        start: Position of its value.
        end: Position after its value, without the delimiter of a value of undefined length.
        is_undefined: Whether the file leaves the length open.
    """

    tag: int
    vr: str | None
    start: int
    end: int
    is_undefined: bool


class ElementReader:
    """Walk through the bytes of a data set.

    Attributes:
        data: The whole file.
        order: "<" or ">", the byte order of the data set.
    """

    def __init__(self, data: bytes, *, is_little_endian: bool = True) -> None:
        self.data = data
        self.order = "<" if is_little_endian else ">"
        self._parts = 0
        self._implicit_header = struct.Struct(f"{self.order}HHL").unpack_from
        self._explicit_header = struct.Struct(f"{self.order}HH2sH").unpack_from
        self._long_length = struct.Struct(f"{self.order}L").unpack_from

    def elements(self, start: int, end: int, *, is_implicit: bool) -> Iterator[Element]:
        """Yield the top-level elements between two positions, in the order of the file.

        Args:
            start: Position of the first element.
            end: Position after the last.
            is_implicit: Whether the file leaves out the value representations.

        Raises:
            RefusedImage: `damaged` if elements, items and fragments, nested ones included, are more or deeper than
                in any image; `truncated` if a value of undefined length has no end.
        """
        position = start
        while position + 8 <= end:
            tag, vr, value, length = self._header(position, is_implicit=is_implicit)
            if tag == _ITEM_END:
                return
            if length != _UNDEFINED:
                position = value + length
                yield Element(tag, vr, value, min(position, end), is_undefined=False)
                continue
            if self._is_sequence(tag, vr, value):
                position = self._after_sequence(value, is_implicit=is_implicit, depth=1)
                yield Element(tag, "SQ", value, position - 8, is_undefined=True)
            else:
                position = self._after_fragments(value)
                yield Element(tag, vr, value, position - 8, is_undefined=True)

    def first_item(self, sequence: Element, *, is_implicit: bool) -> Iterator[Element] | None:
        """Return the elements of the first item of a sequence, or None if it has no item.

        Raises:
            RefusedImage: `damaged` if the sequence does not start with an item, and as `elements` does.
        """
        if sequence.end - sequence.start < 8:
            return None
        tag, length = self._item(sequence.start)
        if tag != _ITEM:
            raise RefusedImage("damaged")
        start = sequence.start + 8
        # The walk over the elements stops at the delimiter of an item of undefined length.
        end = sequence.end if length == _UNDEFINED else min(start + length, sequence.end)
        return self.elements(start, end, is_implicit=self.looks_implicit(start, assumed=is_implicit))

    def looks_implicit(self, position: int, *, assumed: bool, is_nested: bool = True) -> bool:
        """Return whether the data set at a position omits the value representations, whatever syntax is declared."""
        if (is_nested and assumed) or position + 6 > len(self.data):
            return assumed
        return not (0x40 < self.data[position + 4] < 0x5B and 0x40 < self.data[position + 5] < 0x5B)

    def _count(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise RefusedImage("damaged")

    def _header(self, position: int, *, is_implicit: bool) -> tuple[int, str | None, int, int]:
        """Return tag, value representation, position of the value and its length."""
        self._count()
        if not is_implicit:
            group, number, vr, length = self._explicit_header(self.data, position)
            if vr in _LONG_VR:
                return group << 16 | number, vr.decode(), position + 12, self._long_length(self.data, position + 8)[0]
            if vr in ENCODED_VR or b"AA" <= vr <= b"ZZ":
                return group << 16 | number, vr.decode(errors="replace"), position + 8, length
        group, number, length = self._implicit_header(self.data, position)
        return group << 16 | number, None, position + 8, length

    def _item(self, position: int) -> tuple[int, int]:
        """Return tag and length of an item or a delimiter."""
        if position + 8 > len(self.data):
            raise RefusedImage("truncated")
        self._count()
        group, number, length = self._implicit_header(self.data, position)
        return group << 16 | number, length

    def _is_sequence(self, tag: int, vr: str | None, value: int) -> bool:
        if vr in ("SQ", "UN"):  # an unknown value of undefined length is a sequence; PS3.5 section 6.2.2
            return True
        if vr is not None:
            return False
        try:
            return str(dictionary_VR(tag)) == "SQ"
        except KeyError:
            return self.data[value : value + 4] == struct.pack(f"{self.order}HH", _ITEM >> 16, _ITEM & 0xFFFF)

    def _after_sequence(self, position: int, *, is_implicit: bool, depth: int) -> int:
        """Return the position after a sequence of undefined length and its delimiter."""
        if depth > MAX_DICOM_DEPTH:
            raise RefusedImage("damaged")
        while True:
            tag, length = self._item(position)
            position += 8
            if tag == _SEQUENCE_END:
                return position
            if tag != _ITEM:
                raise RefusedImage("damaged")
            if length == _UNDEFINED:
                nested = self.looks_implicit(position, assumed=is_implicit)
                position = self._after_item(position, is_implicit=nested, depth=depth)
            else:
                position += length

    def _after_item(self, position: int, *, is_implicit: bool, depth: int) -> int:
        """Return the position after an item of undefined length and its delimiter."""
        while position + 8 <= len(self.data):
            tag, vr, value, length = self._header(position, is_implicit=is_implicit)
            if tag == _ITEM_END:
                return value
            if length != _UNDEFINED:
                position = value + length
            elif self._is_sequence(tag, vr, value):
                position = self._after_sequence(value, is_implicit=is_implicit, depth=depth + 1)
            else:
                position = self._after_fragments(value)
        raise RefusedImage("truncated")

    def _after_fragments(self, position: int) -> int:
        """Return the position after encapsulated pixel data and its delimiter (PS3.5 annex A.4)."""
        for _ in range(MAX_FRAGMENTS + 2):  # with the offset table before and the delimiter after them
            tag, length = self._item(position)
            position += 8
            if tag == _SEQUENCE_END:
                return position
            if tag != _ITEM or length == _UNDEFINED:
                raise RefusedImage("damaged")
            position += length
        raise RefusedImage("damaged")
