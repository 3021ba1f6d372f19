"""Predictive values of a sensitivity and a specificity at a given prevalence."""


def predictive_values(*, sensitivity: float, specificity: float, prevalence: float) -> dict[str, float]:
    """Return the false-omission and false-discovery rate at a prevalence, by Bayes' theorem.

    Args:
        sensitivity: Share of tumors called a tumor.
        specificity: Share of images without a tumor that are not called one.
        prevalence: Share of images with a tumor, in (0, 1).
    """
    missed = prevalence * (1 - sensitivity)
    clear = (1 - prevalence) * specificity
    found, false = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
    return {
        "false_omission": missed / (missed + clear) if missed + clear else 0.0,
        "false_discovery": false / (found + false) if found + false else 0.0,
    }
