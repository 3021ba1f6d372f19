import pytest
from django.core.management import CommandError, call_command

from classifier.models import Analysis, Batch, Impression, Review, Scan, Team, User
from classifier.services.review import first_broken_link
from classifier.services.scan_counts import check_counts

pytestmark = pytest.mark.django_db


def test_a_seeded_installation_is_whole(browse):
    call_command("seed", scans=400, password="correct horse battery")
    assert Scan.objects.count() == 400
    assert Scan.objects.filter(current_analysis=None).count() == 0
    assert set(Analysis.objects.values_list("state", flat=True)) >= {"succeeded", "failed"}
    assert Batch.objects.exists()
    assert Review.objects.exists()
    assert Team.objects.filter(members__username="seed-1").exists()
    for reader in User.objects.filter(impressions__isnull=False).distinct():
        assert first_broken_link(Impression.objects.filter(reader=reader).order_by("number")) is None
    assert check_counts().is_clean
    client = browse(User.objects.get(username="seed-1"))
    page = client.get("/scans/")
    assert page.context["figures"].total > 0
    scan = page.context["page"].rows[0]
    assert client.get(scan.get_absolute_url()).status_code == 200
    assert client.get(f"{scan.get_absolute_url()}thumbnail.png").status_code == 200


def test_an_installation_with_real_scans_is_refused_unless_asked(scan):
    with pytest.raises(CommandError, match="scans of real people"):
        call_command("seed", scans=5)
    assert Scan.objects.count() == 1
    call_command("seed", scans=5, beside_real_scans=True)
    assert Scan.objects.count() == 6
    assert check_counts().is_clean


def test_append_only_tables_are_closed_again_afterwards():
    call_command("seed", scans=300)
    with pytest.raises(Exception, match="append-only"):
        Review.objects.all()._raw_delete("default")


@pytest.mark.parametrize("scans", [0, -1])
def test_a_number_that_makes_no_sense_is_refused(db, scans):
    with pytest.raises(CommandError):
        call_command("seed", scans=scans)
