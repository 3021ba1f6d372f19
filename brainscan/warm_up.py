"""What a web process does before its first request."""

import gc

from django.urls import get_resolver


def warm_up() -> None:
    """Import the views, and take what has been loaded so far out of garbage collections.

    A full collection walks over every object there is, tens of milliseconds for an application, and stops whatever
    request it falls into. Modules, models, and views stay until the process ends, so that nothing is gained by it.
    """
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
