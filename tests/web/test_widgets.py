"""Widgets of forms."""

import pytest
from django import forms
from django.test.html import parse_html

from classifier.web.widgets import PlainSelect

CHOICES = [
    ("", "Any"),
    ("Network", [("glioma", "Glioma"), ("a&b", '<b>"x"</b>')]),
    ("Other", [(7, "Seven")]),
]


@pytest.mark.parametrize("value", ["", None, "glioma", "a&b", 7, "7", "unknown"])
@pytest.mark.parametrize("attrs", [{}, {"id": "id_x", "class": "form-select", "required": True, "hidden": False}])
def test_a_plain_selection_is_that_of_django(value, attrs):
    plain, usual = PlainSelect(choices=CHOICES), forms.Select(choices=CHOICES)
    assert parse_html(plain.render("x", value, attrs)) == parse_html(usual.render("x", value, attrs))
