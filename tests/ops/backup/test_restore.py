"""Restorations into the database that the tests run on: SQLite, or PostgreSQL in its pass."""

import json
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from classifier.models import Scan, User
from classifier.ops.backup import BackupError, database
from classifier.ops.backup import restore as restoring
from classifier.ops.backup.archive import MEDIA
from classifier.ops.backup.create import back_up
from classifier.ops.backup.restore import restore
from classifier.ops.lock import UP_LOCK, lock
from classifier.services.scan_counts import check_counts
from tests.factories import make_worker_process
from tests.ops.backup.archives import empty_installation, members, pack, stored_files

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_restored_installation_equals_the_one_that_was_backed_up(some_scans, settings, tmp_path, browse):
    before = stored_files(Path(settings.MEDIA_ROOT))
    first = back_up()
    assert (first.scans, first.files, first.missing) == (3, 6, [])
    empty_installation(settings, tmp_path)

    restored = restore(first.path)

    assert (restored.scans, restored.files) == (3, 6)
    assert restored.same_secret_key
    assert stored_files(Path(settings.MEDIA_ROOT)) == before
    old, new = members(first.path), members(back_up(tmp_path / "second.tar").path)
    tables = json.loads(old["manifest.json"])["tables"]
    assert tables["classifier_scan"] == 3
    assert json.loads(new["manifest.json"])["tables"] == tables
    images = {name: body for name, body in old.items() if name.startswith(MEDIA)}
    assert images == {name: body for name, body in new.items() if name.startswith(MEDIA)}
    assert check_counts().is_clean
    page = browse(User.objects.get(username="owner")).get("/scans/").content.decode()
    assert "P-0" in page
    assert Scan.objects.get(patient_reference="P-1").image.read().startswith(b"\x89PNG")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="A copy of SQLite's file has its statistics.")
def test_a_restored_database_has_statistics(some_scans, settings, tmp_path):
    first = back_up()
    empty_installation(settings, tmp_path)
    restore(first.path)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stats WHERE tablename = 'classifier_scan'")
        assert cursor.fetchone()[0] > 0


def test_only_an_empty_installation_is_restored_into(some_scans, settings):
    path = back_up().path
    with pytest.raises(CommandError, match=r"not empty \(people: 3, teams: 1, scans: 3\)\. Restore into a new one"):
        call_command("restore", path)
    assert Scan.objects.count() == 3


def test_a_running_installation_is_not_restored_into(some_scans, settings, tmp_path):
    path = back_up().path
    empty_installation(settings, tmp_path)
    with lock(settings.DATA_DIR / UP_LOCK), pytest.raises(BackupError, match="BrainScan is running on the data in"):
        restore(path)
    make_worker_process(host="gpu-1", pid=7)
    with pytest.raises(BackupError, match=r"A worker of this installation runs \(gpu-1:7\)"):
        restore(path)


def test_another_secret_key_is_pointed_out(some_scans, settings, tmp_path, capsys):
    path = back_up().path
    empty_installation(settings, tmp_path)
    settings.SECRET_KEY = "another" * 8
    call_command("restore", path)
    output = capsys.readouterr()
    assert "SECRET_KEY is not that of the backup" in output.err
    assert "Verified: the rows of" in output.out


def test_images_that_are_there_already_are_kept_if_they_are_the_same(some_scans, settings, tmp_path):
    path, media = back_up().path, settings.MEDIA_ROOT
    empty_installation(settings, tmp_path)
    settings.MEDIA_ROOT = media
    other = Path(media) / some_scans[2].image.name
    content = other.read_bytes()
    other.write_bytes(b"something else")
    with pytest.raises(BackupError, match="already has another file"):
        restore(path)
    assert not User.objects.exists()
    assert len(stored_files(Path(media))) == 6
    other.write_bytes(content)
    assert restore(path).files == 6


DAMAGES = {
    "cut in the database": lambda content: content[:9000],
    "cut in the images": lambda content: content[: content.rindex(b"thumbnail.png") + 1000],
    "without its end": lambda content: content[: content.rindex(b"end.json")],
    "a changed pixel": lambda content: _flip(content, content.rindex(b"IDAT") + 9),
    "a changed row": lambda content: _flip(content, content.index(b"database.") + 5000),
    "a changed checksum": lambda content: _flip(content, content.rindex(b"/image.png\n") - 70),
    "empty": lambda content: b"",
    "text": lambda content: b"Dear all, please find attached\n" * 400,
    "noise": lambda content: bytes(range(256)) * 100,
}


def _flip(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_leaves_nothing_half_restored(some_scans, settings, tmp_path, damage):
    path = back_up(tmp_path / "backup.tar").path
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    empty_installation(settings, tmp_path)
    with pytest.raises(CommandError) as told:
        call_command("restore", path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)
    assert not User.objects.exists()
    assert not Path(settings.MEDIA_ROOT).exists() or stored_files(Path(settings.MEDIA_ROOT)) == {}
    assert {entry.name for entry in settings.DATA_DIR.iterdir()} <= {UP_LOCK, "last_backup.json", "backups"}


def test_foreign_archives_are_refused_in_a_sentence(some_scans, settings, tmp_path):
    content = members(back_up(tmp_path / "backup.tar").path)
    manifest = json.loads(content["manifest.json"])
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.png", b"picture")

    def changed(**values):
        return content | {"manifest.json": json.dumps(manifest | values).encode()}

    other = "PostgreSQL" if connection.vendor == "sqlite" else "SQLite"
    cases = [
        (tmp_path / "missing.tar", "does not exist"),
        (tmp_path / "pictures.zip", "not a backup of BrainScan"),
        (pack(tmp_path / "1.tar", {"a.txt": b"x"}), "is not a backup of BrainScan"),
        (pack(tmp_path / "2.tar", {"manifest.json": b'["x"]'}), "is not a backup of BrainScan"),
        (pack(tmp_path / "3.tar", changed(database=other)), f"is a backup of {other}, and this installation uses"),
        (pack(tmp_path / "4.tar", changed(migrations=["classifier.9999_later"])), "made by a newer version"),
        (pack(tmp_path / "5.tar", changed(format_version=9)), "in a format that this version cannot read"),
        (pack(tmp_path / "6.tar", changed(version="0")), "the checksum of manifest.json is wrong"),
        (pack(tmp_path / "7.tar", {"manifest.json": content["manifest.json"], "media/../../x": b""}), "has a member"),
        (pack(tmp_path / "8.tar", content | {"more": b""}), "continues after its end"),
    ]
    empty_installation(settings, tmp_path)
    for path, words in cases:
        with pytest.raises(BackupError, match=words):
            restore(path)
    assert not User.objects.exists()
    assert not Path(settings.MEDIA_ROOT).exists()


def test_a_database_that_cannot_be_restored_stays_empty(some_scans, settings, tmp_path, monkeypatch):
    """The checksums are right, and yet the database refuses the snapshot."""
    path = back_up(tmp_path / "backup.tar").path
    empty_installation(settings, tmp_path)
    monkeypatch.setattr(restoring, "_copy", lambda content, file: file.write_bytes(content.read()[:20_000]))
    with pytest.raises(BackupError):
        restore(path)
    assert not User.objects.exists()
    assert stored_files(Path(settings.MEDIA_ROOT)) == {}


def test_the_programs_of_postgresql_are_asked_for_by_name(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(connection, "vendor", "postgresql")
        patch.setattr(database.shutil, "which", lambda name: None)
        with pytest.raises(BackupError, match=r"pg_dump and pg_restore not found\. Install PostgreSQL's client"):
            database.check_tools()
