"""Write what a model does on images of other hospitals as Markdown."""

from typing import Any

from classifier.inference.prevalence import predictive_values
from classifier.training.markdown import percent, table
from classifier.wording import with_interval

PREVALENCES = (0.05, 0.1, 0.3, 0.5)


def hospitals_section(hospitals: dict[str, Any] | None) -> list[str]:
    """Return the figures on images of other hospitals as Markdown; empty where there are none."""
    if not hospitals:
        return []
    every, erased = hospitals["all"], hospitals["erased"]
    parts = [
        "### Other hospitals",
        f"{hospitals['images']} images of {hospitals['patients']} patients that were never trained on. A tumor is "
        "called from a calibrated probability of 50% on. Areas are those under the ROC curve, tumor against no tumor.",
        table(
            (
                "set",
                "sequence",
                "images (patients)",
                "area within patients (95% CI)",
                "area, pooled",
                "sensitivity",
                "specificity",
                "refused",
                "uncertain",
            ),
            [
                (
                    row["set"],
                    row["sequence"],
                    f"{row['images']} ({row['patients']})",
                    _area(row["area_within"], row["area_within_low"], row["area_within_high"]),
                    _area(row["area"]),
                    percent(row["sensitivity"]),
                    percent(row["specificity"]),
                    percent(row["refused"]),
                    percent(row["uncertain"]),
                )
                for row in hospitals["sets"]
            ],
        ),
        table(
            ("without a tumor", "", "images (patients)", "called a tumor", "said to be a tumor", "refused"),
            [
                (
                    row["set"],
                    row["label"].replace("_", " ") + (", skull stripped" if row["stripped"] else ""),
                    f"{row['images']} ({row['patients']})",
                    percent(row["called_tumor"]),
                    percent(row["said_tumor"]),
                    percent(row["refused"]),
                )
                for row in hospitals["without_tumor"]
            ],
        ),
    ]
    if erased:
        parts.append(
            f"**Counterfactual check.** The tumor was taken out of {erased['pairs']} slices of the test fold. "
            f"{percent(erased['original_called_tumor'])} of the originals are called a tumor, and "
            f"{percent(erased['still_called_tumor'])} still are without it. Area of with against without: "
            f"{_area(erased['area'], erased['area_low'], erased['area_high'])}."
        )
    parts += [
        f"On all these images sensitivity is {percent(every['sensitivity'])} and specificity "
        f"{percent(every['specificity'])}; “no tumor” is said of {percent(every['said_no_tumor_of_tumors'])} of the "
        "tumors. What that means depends on how many of the images hold a tumor:",
        table(
            ("images with a tumor", "of images not called a tumor, have one", "of images called a tumor, have none"),
            [
                (percent(prevalence, digits=0), percent(values["false_omission"]), percent(values["false_discovery"]))
                for prevalence in PREVALENCES
                for values in [
                    predictive_values(
                        sensitivity=every["sensitivity"], specificity=every["specificity"], prevalence=prevalence
                    )
                ]
            ],
        ),
    ]
    return parts


def _area(value: float | None, low: float | None = None, high: float | None = None) -> str:
    return "–" if value is None else with_interval(value, low, high, digits=3, is_share=False)
