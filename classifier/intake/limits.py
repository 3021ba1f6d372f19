"""Limits of an upload, each with its reason."""

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
slices are at most about 1024 wide and the networks read about 300, so no visible detail is lost."""

MAX_JPEG_SCANS: Final = 32
"""Most scans in one JPEG. Encoders make about ten; a file with thousands costs minutes in a few kilobytes."""

MAX_PARTS: Final = 50_000
"""Most segments, chunks or elements in one file. A 20 MB PNG in chunks of 1 kB has 20,000; more only keeps us busy."""

MAX_GREY_LEVELS: Final = 1 << 20
"""Widest span of stored values mapped through a table (8 MB of float64); MR scanners store 12 to 16 bits."""

MAX_DICOM_DEPTH: Final = 16
"""Deepest nesting of sequences. Enhanced and structured objects reach about eight."""

MAX_FRAGMENTS: Final = 10_000
"""Most fragments of one compressed DICOM frame. A 20 MB frame in fragments of 4 kB has 5,000; encoders write one."""

MAX_ELEMENT_BYTES: Final = 1024
"""Longest DICOM element other than pixels and tables. Window centers are 16 characters each, and files hold a few;
each value of a longer list would become an object of a hundred bytes."""

MAX_TABLE_BYTES: Final = 1 << 17
"""Longest lookup table: 65,536 entries of 16 bits, the most that its descriptor can state (PS3.3 C.11.1.1.1)."""

MAX_CODED_PIXELS: Final = MAX_BYTES // 2
"""Most pixels of a compressed DICOM frame, as many as the largest uncompressed 16-bit file holds. Their decoders are
ten times slower than those of JPEG and PNG files: 40 million pixels of JPEG-LS take over four seconds."""

MAX_CPU_SECONDS: Final = 2.5
"""Processor time for one file, so that no upload takes over three seconds. The slowest allowed file takes a third."""

MAX_SECONDS: Final = 5.0
"""Wall-clock time for one file. Longer than the processor time, because a busy machine is not the file's fault."""

MAX_MEMORY: Final = 640 * 2**20
"""Bytes a child may add to its address space for one file, twice what the largest allowed file needs."""

MAX_CHILDREN: Final = 4
"""Files read at the same time. More would not be faster on most machines, and each may take `MAX_MEMORY`."""
