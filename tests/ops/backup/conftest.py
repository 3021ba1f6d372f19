"""An installation with a few scans to back up."""

import pytest

from classifier.models import Scan
from tests.factories import make_analysis, make_scan


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
