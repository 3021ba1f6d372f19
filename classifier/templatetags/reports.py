"""Template filters of reports."""

from django import template

from classifier.reports import formatting

register = template.Library()
register.filter("moment", formatting.moment)
register.filter("day", formatting.day)
