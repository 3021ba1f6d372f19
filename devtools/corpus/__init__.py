"""Uploads of every kind a server meets, made in memory: those to refuse, each with its code, and those to read.

`from devtools.corpus import BAD_UPLOADS, GOOD_UPLOADS`; `upload.make()` gives the bytes, the same ones every time.
"""

from devtools.corpus.bad import BAD_UPLOADS
from devtools.corpus.good import GOOD_UPLOADS
from devtools.corpus.pictures import head_slice
from devtools.corpus.uploads import BadUpload, GoodUpload

__all__ = ["BAD_UPLOADS", "GOOD_UPLOADS", "BadUpload", "GoodUpload", "head_slice"]
