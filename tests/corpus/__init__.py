"""Uploads of every kind a server meets, made in memory: those to refuse, each with its code, and those to read.

`from tests.corpus import BAD_UPLOADS, GOOD_UPLOADS`; `upload.make()` gives the bytes, the same ones every time.
"""

from tests.corpus.bad import BAD_UPLOADS
from tests.corpus.good import GOOD_UPLOADS
from tests.corpus.pictures import head_slice
from tests.corpus.uploads import BadUpload, GoodUpload

__all__ = ["BAD_UPLOADS", "GOOD_UPLOADS", "BadUpload", "GoodUpload", "head_slice"]
