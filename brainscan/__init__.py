"""The Django project: settings, URLs, the Celery application and the process supervisor."""

from brainscan.celery import app as celery_app

__all__ = ["celery_app"]
