"""The pipeline of a Celery worker process: claim, read, analyze and store.

`pipeline.py` does the work, in its own threads. `process.py` holds the one pipeline of a worker process; Celery's
signals start, wake and stop it.
"""
