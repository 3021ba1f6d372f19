"""Backups of an installation: the database and the stored images, in one archive.

The snapshot of the database comes first, then the images that it names. An image is stored before its row and removed
after it, so every row of the snapshot had its image when the snapshot was taken, whatever is uploaded in the meantime.
In the other order, scans uploaded in between would lack theirs. An image that is deleted before it is copied is
reported.

  archive.py    the file: its members, how it is written, and how it is verified
  database.py   snapshots of SQLite and PostgreSQL, and how they replace an empty database
  media.py      stored files, through Django's storage
  create.py     a backup from begin to end
  restore.py    a restoration from begin to end
"""


class BackupError(Exception):
    """A backup or a restoration that is not possible; the message is a sentence for operators."""
