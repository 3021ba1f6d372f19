"""Backups of the database that the tests run on: SQLite, or PostgreSQL in its pass."""

import json
import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from classifier.models import Installation, Scan
from classifier.ops.backup import BackupError, create
from classifier.ops.backup.create import back_up
from classifier.ops.backup.restore import restore
from classifier.services import scan as scans
from tests.factories import png_bytes
from tests.ops.backup.archives import empty_installation, members

pytestmark = pytest.mark.django_db(transaction=True)


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
    output = capsys.readouterr()
    assert "WARNING: image files that scans refer to are missing from the storage (1)" in output.err
    assert some_scans[1].image.name in output.err
    assert "Backed up 3 scans with 5 image files" in output.out
    assert "Keep that key in another place" in output.out


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


def test_a_missing_folder_does_not_become_a_file(some_scans, tmp_path):
    with pytest.raises(CommandError, match=r"There is no folder .*/backups\. Create it, or name a file that ends in"):
        call_command("backup", tmp_path / "backups")
    assert not (tmp_path / "backups").exists()


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
