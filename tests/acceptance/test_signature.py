"""Signed reports: a changed file is refused, whatever was changed."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from classifier.acceptance.side_by_side import side_by_side
from classifier.acceptance.signature import KIND, MAX_BYTES, UnusableReport, fingerprint_of, read_signed, sign

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
FIGURE = {"key": "sensitivity", "label": "Sensitivity for a tumor", "value": 0.941, "low": 0.88, "high": 0.976}
CONTENT = {
    "kind": KIND,
    "format": 1,
    "model": {"name": "compact", "version": "0.1"},
    "closed": "2026-02-03",
    "verdict": "met",
    "counts": {"with_truth": 1200, "patients": 300},
    "limits": {"prevalence": None},
    "figures": [FIGURE],
}


def content_of(**changes) -> bytes:
    return json.dumps(sign(CONTENT | changes, key=KEY), indent=2).encode()


def test_a_signed_report_is_read_however_it_is_formatted() -> None:
    read = read_signed(content_of())
    assert read.report == CONTENT
    assert read.fingerprint == fingerprint_of(KEY.public_key().public_bytes_raw().hex())


def test_a_changed_report_is_refused() -> None:
    values = json.loads(content_of())
    values["report"]["verdict"] = "not_met"
    with pytest.raises(UnusableReport, match="was changed"):
        read_signed(json.dumps(values).encode())
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    values = json.loads(content_of()) | {"public_key": other.public_key().public_bytes_raw().hex()}
    with pytest.raises(UnusableReport, match="was changed"):
        read_signed(json.dumps(values).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"report": 1, "signature": "", "public_key": ""}',
        b"[" * 100_000,
        b"x" * (MAX_BYTES + 1),
        content_of(format=2),
        content_of(kind="other"),
        content_of(counts={}),
        content_of(figures=[{"key": "sensitivity"}]),
        content_of(figures=[FIGURE | {"value": "high"}]),
        content_of(figures=[FIGURE | {"value": 1e300}]),
        content_of(figures=[FIGURE | {"low": -0.1}]),
        content_of(limits={"prevalence": -5}),
        content_of(model="compact"),
        content_of(verdict={}),
    ],
    ids=range(16),
)
def test_what_is_no_report_is_refused_with_a_sentence(content) -> None:
    with pytest.raises(UnusableReport):
        read_signed(content)


def test_reports_stand_side_by_side() -> None:
    other = read_signed(content_of(figures=[], verdict="too_few"))
    table = side_by_side([("here.json", read_signed(content_of())), ("there.json", other)])
    assert table.columns == ("here.json", "there.json")
    rows = dict(table.rows)
    assert rows["Sensitivity for a tumor"] == ("94.1% (88.0–97.6)", "not measured")
    assert rows["Cases with truth"] == ("1,200", "1,200")
    assert rows["Verdict"] == ("Met", "Too few cases to say")
