"""The low-level control: how well tumor and no tumor are told apart by brightness and shape alone.

A score near the network's would mean that the images' sources, not their tumors, are being recognized.
"""

import numpy as np

from classifier.inference.preprocessing import Float32Array
from classifier.training import metrics


def control(train: Float32Array, tumor: np.ndarray, test: Float32Array, test_tumor: np.ndarray) -> dict[str, float]:
    """Fit a logistic regression on one set and score it on another.

    Args:
        train: From `appearance.describe`, of the training images.
        tumor: bool `(N,)`, whether each has a tumor.
        test: From `appearance.describe`, of the test images.
        test_tumor: bool `(M,)`.

    Returns:
        `accuracy`, `balanced_accuracy` and `auroc` on the test images.
    """
    center, spread = train.mean(axis=0), train.std(axis=0) + 1e-6
    weights = fit_logistic(_expand((train - center) / spread), tumor.astype(np.float64))
    scores = _expand((test - center) / spread) @ weights
    called = scores > 0
    sensitivity, specificity = called[test_tumor].mean(), (~called[~test_tumor]).mean()
    return {
        "accuracy": float((called == test_tumor).mean()),
        "balanced_accuracy": float((sensitivity + specificity) / 2),
        "auroc": metrics.auroc(scores[test_tumor], scores[~test_tumor]),
    }


def fit_logistic(inputs: np.ndarray, wanted: np.ndarray, *, penalty: float = 1.0, rounds: int = 30) -> np.ndarray:
    """Class-balanced logistic regression with a ridge penalty, by Newton's method.

    Args:
        inputs: float `(N, D)`.
        wanted: 0 or 1, `(N,)`.
        penalty: Of the squared weights.
        rounds: Newton steps.

    Returns:
        Weights float64 `(D,)`.
    """
    share = np.clip(wanted.mean(), 1e-6, 1 - 1e-6)
    balance = np.where(wanted > 0, 0.5 / share, 0.5 / (1 - share))
    weights = np.zeros(inputs.shape[1])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (balance * (p - wanted)) + penalty * weights
        curvature = (inputs * (balance * p * (1 - p))[:, np.newaxis]).T @ inputs + penalty * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _expand(standardized: Float32Array) -> np.ndarray:
    """Add squares and a constant: a little curvature makes the control a fair baseline."""
    wide = standardized.astype(np.float64)
    return np.concatenate([wide, np.clip(wide**2, 0, 25), np.ones((len(wide), 1))], axis=1)
