"""Acceptance reports as signed files, which sites compare without moving images (Ed25519, RFC 8032)."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from classifier.acceptance.report import FORMAT, KIND

MAX_BYTES = 2**18
"""A report takes some ten kilobytes."""


class UnusableReport(ValueError):
    """A file is not an acceptance report with a valid signature; the message is for people."""


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A report whose signature is valid.

    Attributes:
        report: The content.
        public_key: Key of the installation that signed it, 64 hexadecimal digits.
    """

    report: dict[str, Any]
    public_key: str

    @property
    def fingerprint(self) -> str:
        """A short name of the key, for people to compare by telephone."""
        return fingerprint_of(self.public_key)


def fingerprint_of(public_key: str) -> str:
    """Return the first 16 hexadecimal digits of the digest of a public key, in groups of four."""
    digest = hashlib.sha256(bytes.fromhex(public_key)).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 16, 4))


def signed_text(content: dict[str, Any]) -> bytes:
    """Return the bytes that are signed: JSON with sorted keys and without spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sign(content: dict[str, Any], *, key: Ed25519PrivateKey) -> dict[str, Any]:
    """Return a report with its signature and the public key, as JSON values."""
    return {
        "report": content,
        "signature": key.sign(signed_text(content)).hex(),
        "public_key": key.public_key().public_bytes_raw().hex(),
    }


def read_signed(content: bytes) -> SignedFile:
    """Read a signed report and verify it.

    A valid signature says that the file is as the holder of the key signed it. People compare fingerprints
    to check whose key it is.

    Raises:
        UnusableReport: If it is too large, is not such a file, or was changed.
    """
    if len(content) > MAX_BYTES:
        raise UnusableReport("The file is too large for an acceptance report.")
    try:
        values = json.loads(content)
        report, signature, public_key = values["report"], values["signature"], values["public_key"]
        kind, number = report["kind"], report["format"]
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), signed_text(report))
    except InvalidSignature as error:
        raise UnusableReport("The signature does not match: the file was changed after it was signed.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnusableReport("The file is not a signed acceptance report.") from error
    if (kind, number) != (KIND, FORMAT):
        raise UnusableReport("The file is an acceptance report of another version of BrainScan.")
    if not _has_shape(report):
        raise UnusableReport("The file is not a complete acceptance report.")
    return SignedFile(report, public_key.lower())


def _has_shape(report: dict[str, Any]) -> bool:
    """Return True if a report has what a comparison reads. A signature says nothing about the content."""
    try:
        texts = [report["model"]["name"], report["model"]["version"], report["closed"], report["verdict"]]
        counts = [report["counts"]["with_truth"], report["counts"]["patients"]]
        prevalence = report["limits"]["prevalence"]
        for figure in report["figures"]:
            texts += [figure["key"], figure["label"]]
            values = [figure[name] for name in ("value", "low", "high")]
            known = all(isinstance(value, int | float) and 0 <= value <= 1 for value in values)
            if not known and values[0] is not None:
                return False
    except (KeyError, TypeError):
        return False
    numbers = prevalence is None or (isinstance(prevalence, int | float) and 0 < prevalence < 1)
    return numbers and all(isinstance(text, str) for text in texts) and all(isinstance(n, int) for n in counts)
