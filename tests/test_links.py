"""URLs of rows."""

from uuid import uuid4

import pytest
from django.urls import reverse, set_script_prefix

from classifier.links import url_of


@pytest.mark.parametrize("name", ["web:scan", "web:scan_thumbnail", "api:scan-detail", "api:scan-saliency"])
@pytest.mark.parametrize("prefix", ["/", "/brainscan/"])
def test_the_url_of_a_row_is_what_reverse_returns(name, prefix):
    set_script_prefix(prefix)
    try:
        for key in (uuid4(), uuid4()):
            assert url_of(name, key) == reverse(name, args=[key])
    finally:
        set_script_prefix("/")
