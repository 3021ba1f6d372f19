"""The worker's part of the job: claim, read, analyse, store. Runs inside a Celery worker process.

`pipeline.py` does the work, in threads of its own; `process.py` is the one pipeline of a worker process, which
Celery's signals start, ring and stop.
"""
