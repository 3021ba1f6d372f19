"""Keys with which a client sends a request again without having it carried out twice."""

from classifier.models import lengths
from classifier.services.errors import Invalid


def checked_idempotency_key(key: str) -> str:
    """Return the key, or "" for none. Raise `Invalid` for one that cannot be stored."""
    if len(key) > lengths.IDEMPOTENCY_KEY or not key.isprintable():
        raise Invalid(
            f"An Idempotency-Key has at most {lengths.IDEMPOTENCY_KEY} printable characters.", code="invalid_key"
        )
    return key
