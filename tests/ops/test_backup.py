"""Backups and restorations of the database that the tests run on: SQLite, or PostgreSQL in its pass."""

import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from classifier.models import Installation, Scan, User
from classifier.models.append_only import remove_triggers
from classifier.ops.backup import BackupError, create, database
from classifier.ops.backup import restore as restoring
from classifier.ops.backup.archive import MEDIA
from classifier.ops.backup.create import back_up
from classifier.ops.backup.restore import restore
from classifier.ops.lock import UP_LOCK, lock
from classifier.services import scan as scans
from classifier.services.scan_counts import check_counts
from tests.factories import make_analysis, make_scan, make_worker_process, png_bytes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()


@pytest.fixture
def some_scans(owner, team) -> list[Scan]:
    """Three scans with results; one belongs to a team."""
    found = [make_scan(owner, patient_reference=f"P-{number}", team=team if number else None) for number in range(3)]
    for scan in found:
        make_analysis(scan, state="succeeded")
    return found


def empty_installation(settings, tmp_path: Path) -> None:
    """Empty the database of the test, and use another folder for images."""
    remove_triggers(connection)
    call_command("flush", interactive=False, verbosity=0)
    settings.MEDIA_ROOT = tmp_path / "media of the new installation"


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def pack(path: Path, content: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, body in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return path


def stored_files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


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


def test_the_checksums_are_those_of_common_tools(some_scans, tmp_path):
    path = back_up(tmp_path / "backup.tar").path
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "--extract", "--file", path, "--directory", tmp_path / "unpacked"], check=True)
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "checksums.sha256"],
        cwd=tmp_path / "unpacked",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": OK") == 8


def test_uploads_and_deletions_go_on_while_a_backup_runs(some_scans, owner, settings, tmp_path, monkeypatch):
    late = []

    def read_files(names):
        late.append(scans.submit_scan(owner=owner, file=png_bytes()).scan)
        scans.delete_scan(some_scans[0], by=owner)
        return reading(names)

    reading = create.read_files
    monkeypatch.setattr(create, "read_files", read_files)
    backup = back_up()
    gone = sorted([some_scans[0].image.name, some_scans[0].thumbnail.name])
    assert (backup.scans, backup.files, backup.missing, backup.deleted) == (3, 4, [], gone)
    assert not any(str(late[0].pk) in name for name in members(backup.path))

    empty_installation(settings, tmp_path)
    restored = restore(backup.path)
    assert restored.deleted == gone
    assert set(Scan.objects.values_list("pk", flat=True)) == {scan.pk for scan in some_scans}


def test_missing_images_are_named_and_do_not_prevent_a_backup(some_scans, capsys):
    Path(some_scans[1].image.path).unlink()
    call_command("backup")
    heard = capsys.readouterr()
    assert "WARNING: image files that scans refer to are missing in the storage (1)" in heard.err
    assert some_scans[1].image.name in heard.err
    assert "Backed up 3 scans with 5 image files" in heard.out
    assert "Keep that key in another place" in heard.out


def test_the_last_backup_is_recorded(some_scans, settings):
    backup = back_up()
    told = json.loads((settings.DATA_DIR / "last_backup.json").read_text())
    assert told["at"] == backup.at.isoformat(timespec="seconds")
    assert told["path"] == str(backup.path)
    assert Installation.objects.get().last_backup == told
    assert backup.path.stat().st_mode & 0o077 == 0


def test_an_existing_file_is_not_replaced(some_scans, tmp_path):
    target = tmp_path / "backup.tar"
    target.write_text("something else")
    with pytest.raises(BackupError, match="already exists"):
        back_up(target)
    assert target.read_text() == "something else"
    with pytest.raises(BackupError, match="There is no folder"):
        back_up(tmp_path / "nowhere" / "backup.tar")


def test_a_backup_that_fails_leaves_nothing_behind(some_scans, tmp_path, monkeypatch):
    def fail(names):
        raise OSError(28, "No space left on device")

    folder = tmp_path / "backups"
    folder.mkdir()
    monkeypatch.setattr(create, "read_files", fail)
    with pytest.raises(CommandError, match=r"could not be written to .*: No space left on device"):
        call_command("backup", folder)
    assert list(folder.iterdir()) == []


def test_what_a_killed_backup_left_is_removed_by_the_next(some_scans, tmp_path):
    left = tmp_path / ".brainscan-20200101-000000.tar.partial"
    left.mkdir()
    (left / "database.sqlite3").write_text("half")
    back_up(tmp_path / "backup.tar")
    assert not left.exists()


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
    heard = capsys.readouterr()
    assert "SECRET_KEY is not that of the backup" in heard.err
    assert "Verified: the rows of" in heard.out


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
        (pack(tmp_path / "5.tar", changed(format_version=9)), "in a form that this version cannot read"),
        (pack(tmp_path / "6.tar", changed(version="0")), "the checksum of manifest.json is wrong"),
        (pack(tmp_path / "7.tar", {"manifest.json": content["manifest.json"], "media/../../x": b""}), "has a member"),
        (pack(tmp_path / "8.tar", content | {"more": b""}), "goes on after its end"),
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
