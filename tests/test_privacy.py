"""Which patient references look like a name or a date of birth."""

import pytest

from classifier.privacy import looks_identifying


@pytest.mark.parametrize(
    "text",
    [
        "John Smith 12.03.1961", "John Smith", "smith john", "SMITH JOHN", "Müller Anna-Lena", "12.03.1961",
        "1961-03-12", "3/12/61", "P-17 Maria Garcia", "born 12 03 1961",
    ],
)  # fmt: skip
def test_names_and_birth_dates_are_recognized(text):
    assert looks_identifying(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "P-1", "P-1234", "2024-0117-A", "Patient 12", "Study arm B", "MRN 0012345", "ABC-123", "case 7 left",
        "Trial X-12", "Visit 3", "GBM 0042", "healthy volunteer 3", "site 2/patient 14", "T1 post", "0123456789",
    ],
)  # fmt: skip
def test_pseudonyms_are_not(text):
    assert not looks_identifying(text)
