"""A web process is ready before its first request."""

import gc
import subprocess
import sys

from brainscan import gunicorn
from classifier import intake

PROGRAM = """
import gc, sys
import brainscan.wsgi
from brainscan.warm_up import warm_up
assert "classifier.web.views.history" not in sys.modules
warm_up()
assert "classifier.web.views.history" in sys.modules
assert "tensorflow" not in sys.modules
tracked = len(gc.get_objects())
print(gc.get_freeze_count(), tracked)
"""


def test_views_are_imported_and_collections_leave_out_what_is_loaded():
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    frozen, tracked = map(int, found.stdout.split()[-2:])
    assert frozen > 50_000
    assert tracked < frozen / 50


def test_gunicorn_does_it_after_it_has_started_the_reader(monkeypatch):
    started = []
    monkeypatch.setattr(intake, "start_reader", lambda: started.append(gc.get_freeze_count()))
    before = gc.get_freeze_count()
    try:
        gunicorn.post_worker_init(None)
        assert started == [before]
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
