"""Write the page of a model from its card and its evaluations: every number in it was written by a command."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from classifier.findings import FINDING_LABELS, FINDINGS
from classifier.training.cards import CALIBRATION_NAME, read_card
from classifier.training.hospital_page import hospitals_section
from classifier.training.markdown import percent, table
from classifier.wording import with_interval

EVALUATIONS = "evaluation"
PAGE_NAME = "README.md"
BY_SOURCE = "Share of images with a tumor against its probability, by source"
OTHER_WEIGHTS = (
    "These are figures of other weights of the same architecture, trained under `{trained_under}`, for comparison with "
    "published figures. They are not the weights of this model."
)


def write_page(folder: Path) -> Path:
    """Write `README.md` into a model folder and return its path."""
    card = read_card(folder)
    parts = [_head(card), _calibration(folder)]
    found = [
        (f"{EVALUATIONS}/{path.stem}", json.loads(path.read_text(encoding="utf-8")))
        for path in sorted((folder / EVALUATIONS).glob("*.json"))
    ]
    own = card["weights"]["sha256"]
    # The model's own figures first.
    for plots, figures in sorted(found, key=lambda item: item[1].get("weights_sha256") != own):
        note = "" if figures.get("weights_sha256") == own else OTHER_WEIGHTS.format(**figures)
        parts.append(evaluation_section(figures, plots=plots if (folder / plots).is_dir() else "", note=note))
    page = folder / PAGE_NAME
    page.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return page


def evaluation_section(figures: dict[str, Any], *, plots: str, note: str = "") -> str:
    """Return one protocol's figures as Markdown.

    Args:
        figures: From `evaluate`.
        plots: Folder of the plots, relative to the page; "" without any.
        note: What a reader has to know before the figures.
    """
    accuracy, abstention, shortcut = figures["accuracy"], figures["abstention"], figures["shortcut"]
    possible = figures["possible"]
    controls, saliency, refusal = figures["controls"], figures["saliency"], figures["refusal"]
    rows: list[tuple[str, str]] = [
        ("Accuracy (95% CI, resampled by patient group)", _with_interval(accuracy, "value")),
        ("Accuracy, one image of each twin group", percent(_exact(accuracy["one_of_each_twin"], accuracy["pictures"]))),
        ("Pixel nearest neighbor, no training", percent(controls["pixel_neighbour_accuracy"])),
        ("Negative log likelihood", f"{figures['probabilities']['nll']:.3f}"),
        ("Brier score", f"{figures['probabilities']['brier']:.3f}"),
        ("Expected calibration error", f"{figures['probabilities']['ece']:.3f}"),
        ("Answered at the card's thresholds", percent(abstention["coverage"])),
        ("Answered as a tumor of unknown kind", percent(abstention.get("tumor_of_unknown_kind"))),
        ("Accuracy where a finding is named", percent(abstention["accuracy"])),
        (
            "Accuracy on the most confident 90%",
            percent(_exact(abstention["accuracy_at_90_percent_coverage"], round(0.9 * figures["images"]))),
        ),
        ("True finding among those that remain possible", percent(possible["coverage"])),
        ("Findings that remain possible, on average", f"{possible['mean_size']:.2f}"),
        ("Images without a tumor called so", percent(shortcut["specificity"])),
        ("Tumors called some tumor", percent(shortcut["tumor_sensitivity"])),
    ]
    if other := shortcut.get("other_scanners"):
        text = f"{_with_interval(other, 'sensitivity')}, {other['images']} images"
        rows.append(("Tumors of other scanners called some tumor", text))
    rows += [
        (f"Tumor or not, area under the ROC curve, source {name}", f"{area:.3f}")
        for name, area in shortcut["auroc_by_source"].items()
    ]
    rows.append(("The same from brightness and shape alone", f"{controls['low_level_tumor_or_not']['auroc']:.3f}"))
    if saliency["images"]:
        text = f"{_with_interval(saliency, 'pointing_game')}, {saliency['images']} images"
        rows += [
            ("Saliency: strongest place in the tumor's box", text),
            ("Saliency: box overlap", f"{saliency['box_iou']:.2f}"),
        ]
    if refusal:
        far, near = refusal["far"], refusal["near"]
        rows += [
            ("Brain MR images refused", percent(refusal["brain_mri_refused"])),
            ("Far images refused", f"{percent(far['refused'])} of {far['images']} (area {far['auroc']:.3f})"),
            (
                "Corrupted brain MR refused",
                f"{percent(near['refused'])} of {near['images']} (area {near['auroc']:.3f})",
            ),
        ]
    return "\n\n".join(
        [
            f"## Protocol `{figures['protocol']}`",
            *([note] if note else []),
            f"{figures['images']} test images of {figures['groups']} groups. Measured on {figures['date']} by "
            f"`{figures['command']}`; the network was trained under `{figures['trained_under']}`.",
            table(("", "value"), rows),
            table(
                ("finding", "precision", "recall", "F1", "remains possible", "images"),
                [
                    (
                        FINDING_LABELS[name],
                        percent(figures["per_class"][name]["precision"]),
                        percent(figures["per_class"][name]["recall"]),
                        percent(figures["per_class"][name]["f1"]),
                        percent(possible["by_finding"].get(name)),
                        str(figures["per_class"][name]["images"]),
                    )
                    for name in FINDINGS
                ],
            ),
            table(("part", "images", "accuracy"), _parts(figures["parts"])),
            *([f"![Confusion matrix]({plots}/confusion.png) ![Reliability]({plots}/reliability.png)"] if plots else []),
            *hospitals_section(figures.get("hospitals")),
            *([f"![{BY_SOURCE}]({plots}/reliability-by-source.png)"] if plots else []),
        ]
    )


def _parts(parts: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return accuracy by source, by whether training holds a near-duplicate, and by patient."""
    shares = {f"source {name}": share for name, share in parts["by_source"].items()}
    shares |= {f"{name} a copy or mirror image in training": share for name, share in parts["by_twin"].items()}
    rows = [
        (name, str(share["images"]), percent(share["accuracy"])) for name, share in shares.items() if share["images"]
    ]
    if patients := parts.get("by_patient"):
        note = f"{patients['all_right']} groups all right, {patients['mostly_wrong']} mostly wrong"
        rows.append((f"mean over {patients['groups']} patient groups", note, percent(patients["mean_accuracy"])))
    return rows


def _head(card: dict[str, Any]) -> str:
    training = card.get("training", {})
    lines = [f"# {card.get('title', card['name'])}", f"`{card['name']}` version {card['version']}."]
    lines += ["## Intended use", str(card.get("intended_use", ""))]
    lines += ["Not for:", _bullets(card.get("not_for", ()))]
    lines += ["## Known weaknesses", _bullets(card.get("weaknesses", ()))]
    lines += ["## Training", _bullets(f"{name}: {text}" for name, text in training.items())]
    lines += ["## License and attribution", str(card.get("licence", "")), _bullets(card.get("attribution", ()))]
    return "\n\n".join(line for line in lines if line)


def _calibration(folder: Path) -> str:
    path = folder / CALIBRATION_NAME
    if not path.is_file():
        return ""
    record = json.loads(path.read_text(encoding="utf-8"))
    fitted, reported = record["fitted"], record["reported"]
    rows = [
        ("Temperature of the kind", f"{fitted['calibration']['temperature']:.3f}"),
        ("Slope and offset of the log-odds of a tumor", _pair(fitted["calibration"])),
        ("Decision threshold of a kind of tumor", percent(fitted["abstention"]["threshold"])),
        ("Decision threshold of a tumor of unknown kind", percent(fitted["abstention"].get("tumor_threshold"))),
        ("Decision threshold of no tumor", percent(fitted["abstention"].get("notumor_threshold"))),
        ("Limit of the distance of the features", f"{fitted['ood']['feature_limit']:.3f}"),
        ("Limit of the distance of the appearance", f"{fitted['ood']['appearance_limit']:.2f}"),
        ("Expected calibration error before", f"{reported['ece_uncalibrated']:.3f}"),
        ("Expected calibration error after", f"{reported['ece']:.3f}"),
    ]
    origin = fitted["calibration"]
    note = (
        f"Fitted on {origin['fitted_on']} (protocol `{origin['protocol']}`, {origin['images']} images), "
        f"reported on {reported['on']} ({reported['images']} images)."
    )
    return "\n\n".join(["## Calibration", note, table(("", "value"), rows)])


def _exact(share: float, images: int) -> float:
    """Return a share of images as it was before its file rounded it: rounded twice, 0.98051 would be 98.0%."""
    return round(share * images) / images if images else share


def _pair(calibration: dict[str, Any]) -> str:
    return f"{calibration.get('tumor_slope', 1.0):.3f}, {calibration.get('tumor_offset', 0.0):.3f}"


def _with_interval(scores: dict[str, Any], name: str) -> str:
    return with_interval(scores[name], scores["low"], scores["high"], digits=1)


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
