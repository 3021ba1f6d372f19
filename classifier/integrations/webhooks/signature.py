"""Signatures of the Standard Webhooks specification (version 1, symmetric), which libraries of receivers verify."""

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def signed_headers(secret: str, *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that identify, date, and sign a message.

    Args:
        secret: `whsec_` and the key in Base64.
        message_id: the same for each attempt.
        timestamp: seconds since 1970 at this attempt.
        body: the bytes that are sent.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    content = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
