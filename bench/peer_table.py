"""The table of `bench.peer_accuracy`: a published classifier beside BrainScan on the same images."""

import json
from typing import Any

from bench.markdown import table
from classifier.wording import percent, with_interval
from devtools.running import ROOT

MODEL = "xception"
EVALUATIONS = ROOT / "models" / MODEL / "evaluation"
Result = dict[str, Any]


def peer_accuracy(result: Result) -> str:
    """Return a row for each figure: of the peer, of BrainScan, and of the pixel look-up.

    Those of BrainScan and of the look-up are read from the evaluations of the shipped model.

    Args:
        result: The results of `bench.peer_accuracy`.
    """
    own, published = (_evaluation(protocol) for protocol in ("patient", "official"))
    peer, ours = result["peer_figures"], own_figures(own, published=published)
    pixels = {
        name: figures["controls"]["pixel_neighbour_accuracy"]
        for name, figures in (("official", published), ("patient", own))
    }
    rows = [
        [
            f"`{name}`: accuracy (95% CI), {peer[name]['images']} images",
            _interval(peer[name]["accuracy"]),
            _interval(ours[name]["accuracy"]),
            percent(pixels[name], digits=1),
        ]
        for name in ("official", "patient")
    ]
    rows += [
        [f"`{name}`: accuracy, {peer[name]['images']} images", _interval(peer[name]["accuracy"]), "", ""]
        for name in peer
        if name.startswith("patient,")
    ]
    rows += [
        [f"`patient`: {label}", _percent(peer["patient"][key]), _percent(ours["patient"][key]), ""]
        for key, label in (
            ("sensitivity", "tumors called a tumor"),
            ("specificity", "images without a tumor called so"),
        )
    ]
    rows.append(
        [
            "tumors of other scanners called a tumor",
            _percent(peer["other scanners"]["sensitivity"]),
            _percent(ours["other scanners"]["sensitivity"]),
            "",
        ]
    )
    rows += [
        [f"{theirs['set']} {theirs['sequence']}: area within patients (95% CI)", _area(theirs), _area(own), ""]
        for theirs, own in zip(peer["sets"], ours["sets"], strict=True)
    ]
    rows += [
        [
            f"{theirs['set']}, {theirs['label'].replace('_', ' ')}: called a tumor, {theirs['images']} images",
            _percent(theirs["called_tumor"]),
            _percent(own["called_tumor"]),
            "",
        ]
        for theirs, own in zip(peer["without_tumor"], ours["without_tumor"], strict=True)
    ]
    rows.append(
        [
            f"tumor taken out, still called one; area of with against without, {peer['erased']['pairs']} pairs",
            f"{_percent(peer['erased']['still_called_tumor'])}; {peer['erased']['area']:.2f}",
            f"{_percent(ours['erased']['still_called_tumor'])}; {ours['erased']['area']:.2f}",
            "",
        ]
    )
    return table(("figure", result["peer"], f"{own['model']} {own['version']}", "pixel look-up"), rows)


def own_figures(own: Result, *, published: Result) -> Result:
    """Return the figures of BrainScan that the table compares.

    Args:
        own: The figures of the shipped model under `patient`.
        published: Those under `official`, of a network whose weights are not shipped.
    """
    shortcut = own["shortcut"]
    return {
        "official": {"accuracy": published["accuracy"]},
        "patient": {
            "accuracy": own["accuracy"],
            "sensitivity": shortcut["tumor_sensitivity"],
            "specificity": shortcut["specificity"],
        },
        "other scanners": {"sensitivity": shortcut["other_scanners"]["sensitivity"]},
    } | compared(own)


def compared(figures: Result) -> Result:
    """Return the part of an evaluation's figures that the table compares."""
    hospitals = figures["hospitals"]
    return {
        "sets": [
            {key: row[key] for key in ("set", "sequence", "area_within", "area_within_low", "area_within_high")}
            for row in hospitals["sets"]
        ],
        "without_tumor": [
            {key: row[key] for key in ("set", "label", "images", "called_tumor")} for row in hospitals["without_tumor"]
        ],
        "erased": {key: hospitals["erased"][key] for key in ("pairs", "still_called_tumor", "area")},
    }


def _evaluation(protocol: str) -> Result:
    figures: Result = json.loads((EVALUATIONS / f"{protocol}.json").read_text(encoding="utf-8"))
    return figures


def _interval(value: dict[str, float]) -> str:
    return with_interval(value["value"], value["low"], value["high"], digits=1)


def _percent(share: float) -> str:
    return percent(share, digits=1)


def _area(row: dict[str, Any]) -> str:
    if row["area_within"] is None:
        return ""
    return with_interval(row["area_within"], row["area_within_low"], row["area_within_high"], digits=2, is_share=False)
