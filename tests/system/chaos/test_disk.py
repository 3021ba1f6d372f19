"""The disk with the images is full."""

import contextlib
import os
import urllib.error

import pytest

from classifier.intake import read_image
from devtools.client import SAMPLES, upload
from tests.system.chaos.load import Refusal, scans, sentence_of

PICTURE = max(SAMPLES, key=lambda path: path.stat().st_size)


def test_a_full_disk_refuses_with_a_sentence_and_keeps_nothing(target, scenario, form):
    page = os.sysconf("SC_PAGE_SIZE")
    image_bytes = -(-len(read_image(PICTURE.read_bytes()).png) // page) * page
    # No room at all; for the beginning of the image; for the image without its thumbnail.
    for room in (0, image_bytes // 2, image_bytes):
        with full_disk(target, room=room):
            refusal = refused_upload(target)
        assert refusal.status == 507
        assert "no space" in sentence_of(refusal)
    scenario.load.send(scans(form.some // 2))
    scenario.conclude(most_attempts=1, refused_for_want_of_room=3, disk_pretended=not target.small_disk)


def refused_upload(target) -> Refusal:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        upload(target.app, PICTURE, token=target.token)
    return Refusal(refusal.value.code, refusal.value.read().decode(), 0)


@contextlib.contextmanager
def full_disk(target, *, room: int):
    """Fill the disk but for `room` bytes, or pretend that it is full where no small disk could be mounted."""
    if not target.small_disk:
        with target.fault("disk-full"):
            yield
        return
    ballast = target.media / "ballast"
    disk = os.statvfs(target.media)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - room)
    try:
        yield
    finally:
        ballast.unlink()
