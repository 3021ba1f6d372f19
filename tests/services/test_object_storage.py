"""Images in an S3-compatible store, against a real server on this machine."""

import errno
import io
import zipfile
from threading import Event

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.urls import reverse

from brainscan.object_storage import ObjectStorage
from classifier.models import Scan
from classifier.models.append_only import remove_triggers
from classifier.ops.backup.create import back_up
from classifier.ops.backup.restore import restore
from classifier.reports import archive as archives
from classifier.selectors.report_selection import Selection
from classifier.selectors.scan import visible_scans
from classifier.services import scan as service
from classifier.services import storage
from classifier.services.errors import StorageUnavailable
from classifier.services.report_archive import open_archive
from classifier.services.report_request import request_archive
from devtools.servers import free_port
from tests.factories import make_analysis, png_bytes

pytestmark = pytest.mark.django_db
BUCKET = "scans"


@pytest.fixture(scope="module")
def server():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def options(url: str) -> dict[str, str]:
    keys = {"access_key": "testing", "secret_key": "testing", "region_name": "us-east-1"}
    return {"bucket_name": BUCKET, "endpoint_url": url, "location": "hospital", **keys}


def storages(url: str, settings):
    backend = {"BACKEND": "brainscan.object_storage.ObjectStorage", "OPTIONS": options(url)}
    return override_settings(STORAGES=settings.STORAGES | {"default": backend})


@pytest.fixture
def store(server, settings):
    with storages(server, settings):
        bucket = ObjectStorage(**options(server)).connection.Bucket(BUCKET)
        bucket.create()
        yield bucket
        bucket.objects.all().delete()
        bucket.delete()


def keys(bucket) -> list[str]:
    return sorted(entry.key for entry in bucket.objects.all())


def test_an_upload_is_stored_read_and_deleted(owner, browse, store, settings):
    scan = service.submit_scan(owner=owner, file=png_bytes()).scan
    folder = f"hospital/{storage.folder_of(scan.pk)}"
    assert keys(store) == [f"{folder}/image.png", f"{folder}/thumbnail.png"]
    answer = browse(owner).get(reverse("web:scan_image", args=[scan.pk]))
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content).startswith(b"\x89PNG")
    storage.remove_files(scan.pk)
    assert keys(store) == []


def test_orphans_are_swept_and_others_kept(owner, store):
    scan = service.submit_scan(owner=owner, file=png_bytes()).scan
    orphan = "scans/00/00000000-0000-4000-8000-000000000000/image.png"
    default_storage.save(orphan, ContentFile(b"left behind"))
    assert storage.remove_orphaned_files() == 0
    assert storage.remove_orphaned_files(older_than_seconds=-1) == 1
    assert len(keys(store)) == 2
    assert default_storage.exists(scan.image.name)


def test_an_archive_of_reports_lies_in_the_store(owner, store, monkeypatch):
    make_analysis(service.submit_scan(owner=owner, file=png_bytes()).scan, state="succeeded")
    archive = request_archive(owner, Selection("Patient P-1", [scan.pk for scan in visible_scans(owner)]))
    monkeypatch.setattr(archives.for_jobs, "render", lambda document, *, seconds: b"%PDF")
    archives.make_archives(Event())
    archive.refresh_from_db()
    assert archive.state == "succeeded"
    with open_archive(archive) as file, zipfile.ZipFile(io.BytesIO(file.read())) as content:
        assert len(content.namelist()) == 3
    assert archive.bytes == store.Object(f"hospital/reports/{archive.pk}/reports.zip").content_length


def test_an_unavailable_store_refuses_uploads_with_a_sentence(owner, browse, api, settings, scan):
    with storages(f"http://127.0.0.1:{free_port()}", settings):
        with pytest.raises(StorageUnavailable, match="Try again"):
            service.submit_scan(owner=owner, file=png_bytes())
        assert Scan.objects.count() == 1
        assert browse(owner).get(reverse("web:scan_image", args=[scan.pk])).status_code == 503
        file = io.BytesIO(png_bytes())
        file.name = "slice.png"
        answer = api(owner).post("/api/v1/scans/", {"image": file})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "storage_unavailable")
        with pytest.raises(OSError, match="object store failed") as failure:
            default_storage.open("scans/x")
        assert failure.value.errno == errno.EIO


@pytest.mark.django_db(transaction=True)
def test_a_backup_copies_the_objects_and_restores_them(owner, store, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    for _ in range(2):
        service.submit_scan(owner=owner, file=png_bytes())
    before = {key: store.Object(key).get()["Body"].read() for key in keys(store)}
    backup = back_up(tmp_path / "backup.tar")
    assert backup.files == 4
    remove_triggers(connection)
    call_command("flush", interactive=False, verbosity=0)
    store.objects.all().delete()
    assert restore(backup.path).files == 4
    assert {key: store.Object(key).get()["Body"].read() for key in keys(store)} == before
    assert Scan.objects.count() == 2


def test_a_missing_object_is_a_missing_file(store):
    with pytest.raises(FileNotFoundError):
        default_storage.open("scans/nothing")
