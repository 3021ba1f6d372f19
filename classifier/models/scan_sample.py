"""Random samples of scans: the keys are random, so scans with the smallest keys are a sample of any selection.

Partial indexes hold one scan of 8, of 64, of 512, and of 4,096, in the order of the lists.
"""

from uuid import UUID

from django.db import models

SHARES: dict[int, UUID] = {one_in: UUID(int=2**128 // one_in) for one_in in (8, 64, 512, 4096)}
"""Of how many scans one is in a sample, with the key below which the keys of the sample lie."""


def sample_indexes() -> tuple[models.Index, ...]:
    """Return the indexes of the samples by owner and by team."""
    keys = {"owner": ("owner", "-created_at", "-id", "team"), "team": ("team", "-created_at", "-id")}
    return tuple(
        models.Index(fields=fields, name=f"scan_{name}_sample_{one_in}", condition=models.Q(id__lt=limit))
        for name, fields in keys.items()
        for one_in, limit in SHARES.items()
    )
