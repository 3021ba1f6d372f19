import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from classifier.models import Scan, ScanCount, ScanText
from classifier.models.append_only import install_triggers, remove_triggers
from classifier.selectors.history import dashboard
from classifier.selectors.lists.scope import scope_of
from classifier.services.scan_counts import check_counts

pytestmark = pytest.mark.django_db


def test_consistent_counts_are_reported(scan, capsys):
    call_command("check_counts")
    assert "agree with the scans" in capsys.readouterr().out


def test_what_is_wrong_is_named_and_repaired(owner, scan, capsys):
    right = dashboard(scope_of(owner))
    remove_triggers(connection)
    Scan.objects.filter(pk=scan.pk).update(facet="xception|glioma|")
    ScanCount.objects.all().delete()
    ScanText.objects.all().delete()
    install_triggers(connection)
    with pytest.raises(CommandError, match="1 facets, 1 counts, and 1 searchable texts are wrong"):
        call_command("check_counts")
    call_command("check_counts", repair=True)
    assert check_counts().is_clean
    assert dashboard(scope_of(owner)) == right
