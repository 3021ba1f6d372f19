"""Limits of requests to language models."""

from datetime import timedelta

MAX_ATTEMPTS = 2
# Longer than the longest time-out of a provider (300 s) and the storing of its answer.
LEASE = timedelta(seconds=330)
# A request that no worker has claimed by then has expired: the person no longer waits for it.
GIVEN_UP = timedelta(minutes=15)
NO_WORKER = "No worker took the request. Try again, or tell your administrator."
