import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from classifier.models.append_only import install_triggers, remove_triggers
from classifier.services.review import record_impression
from tests.factories import make_scan

pytestmark = pytest.mark.django_db


def test_unchanged_impressions_pass(owner, teammate, capsys):
    for reader in (owner, owner, teammate):
        record_impression(make_scan(reader), by=reader, finding="glioma", certainty="medium")
    call_command("check_impressions")
    assert "3 impressions of 2 readers are unchanged." in capsys.readouterr().out


def test_a_changed_impression_is_named(owner):
    changed = record_impression(make_scan(owner), by=owner, finding="glioma", certainty="medium")
    remove_triggers(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE classifier_impression SET finding = 'notumor'")
    install_triggers(connection)
    with pytest.raises(CommandError, match=rf"impression 1 of owner \(scan {changed.scan_id}\)"):
        call_command("check_impressions")
