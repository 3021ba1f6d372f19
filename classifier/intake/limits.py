"""What an upload may be, each limit with its reason."""

from typing import Final

MAX_BYTES: Final = 20 * 1024 * 1024
"""Largest file in bytes. One slice, even uncompressed at 16 bits and 2048 x 2048, stays under half of it."""

MAX_PIXELS: Final = 40_000_000
"""Most pixels an image may declare. At four bytes a pixel these are 160 MB, what one request may borrow."""

MIN_SIDE: Final = 64
"""Shortest side in pixels. The smallest MR matrices in use are 64 x 64; below, no anatomy is left to see."""

MAX_ASPECT: Final = 8
"""Longest side over shortest. No slice is a strip; strips are rulers, banners and cut-off screenshots."""

MAX_STORED_SIDE: Final = 2048
"""Longest side of the canonical image in pixels. Larger ones (photographs of films) are reduced by area: MR
slices are at most about 1024 wide and the networks look at some 300, so nothing is lost that anyone reads."""

MAX_JPEG_SCANS: Final = 32
"""Most scans in one JPEG. Encoders make about ten; a file with thousands costs minutes in a few kilobytes."""

MAX_PARTS: Final = 50_000
"""Most segments, chunks or elements in one file. A 20 MB PNG in chunks of 1 kB has 20,000; more only keeps us busy."""

MAX_GREY_LEVELS: Final = 1 << 20
"""Widest span of stored values mapped through a table (8 MB of float64); MR scanners store 12 to 16 bits."""
