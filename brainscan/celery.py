"""The Celery application. Its settings are the `CELERY_…` names of `brainscan.settings`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brainscan.settings")

app = Celery("brainscan")
# Threads that did not create the application find it as `celery.current_app`, too.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["classifier"])
