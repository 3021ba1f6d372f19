"""Widgets of forms."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class PlainSelect(forms.Select):
    """The same `<select>` as Django's. It is built at once, instead of with two templates for each option."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """Return the HTML."""
        widget = self.get_context(name, value, attrs)["widget"]
        groups = format_html_join("", "{}", ((_group(label, options),) for label, options, _ in widget["optgroups"]))
        return format_html('<select name="{}"{}>{}</select>', widget["name"], _attributes(widget["attrs"]), groups)


def _group(label: str | None, options: list[dict[str, Any]]) -> SafeString:
    shown = format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        ((str(option["value"]), _attributes(option["attrs"]), option["label"]) for option in options),
    )
    return format_html('<optgroup label="{}">{}</optgroup>', label, shown) if label else shown


def _attributes(attrs: Mapping[str, Any]) -> SafeString:
    shown = ((name, value) for name, value in attrs.items() if value is not False)
    return format_html_join(
        "", " {}", ((name if value is True else format_html('{}="{}"', name, value),) for name, value in shown)
    )
