"""Times and dates of reports, always with their zone."""

from datetime import date, datetime

from django.utils import timezone


def moment(value: str | datetime) -> str:
    """Return a time in the current time zone: "25 Nov 2026, 04:49:50 UTC", "25 Nov 2026, 05:49:50 CET (UTC+01:00)".

    Args:
        value: a time with its offset, or the same in ISO 8601; "" gives "".
    """
    if not value:
        return ""
    aware = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = timezone.localtime(aware)
    offset = f"{local:%z}"
    text = f"{local.day} {local:%b %Y, %H:%M:%S} {local.tzname()}"
    return text if local.tzname() == "UTC" else f"{text} (UTC{offset[:3]}:{offset[3:5]})"


def day(value: str) -> str:
    """Return a date in ISO 8601 as "25 Nov 2026"."""
    found = date.fromisoformat(value)
    return f"{found.day} {found:%b %Y}"
