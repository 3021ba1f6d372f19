"""Keys derived from `SECRET_KEY`, and the encryption of secrets that are stored in the database."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# Separates this use of SECRET_KEY from every other (RFC 5869, section 3.2).
PURPOSE = b"brainscan/assistant-provider-key/1"
FINGERPRINT = b"brainscan/secret-key-fingerprint/1"


def encrypt(secret: str) -> str:
    """Return a secret as text that only `decrypt` on the same installation can read; "" for ""."""
    return _fernet().encrypt(secret.encode()).decode() if secret else ""


def decrypt(stored: str) -> str | None:
    """Return the secret; None if `SECRET_KEY` has changed since it was encrypted."""
    if not stored:
        return ""
    try:
        return _fernet().decrypt(stored.encode()).decode()
    except InvalidToken:
        return None


def fingerprint() -> str:
    """Return text that tells whether two installations have the same `SECRET_KEY`, without revealing it."""
    return derived_key(FINGERPRINT)[:8].hex()


def derived_key(purpose: bytes) -> bytes:
    """Return a key of 32 bytes for one purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(settings.SECRET_KEY.encode())


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key(PURPOSE)))
