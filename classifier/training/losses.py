"""The losses: of full and partial labels, and of looking at the right place."""

from typing import Any


def partial_label_loss(smoothing: float) -> Any:
    """Make the loss −log Σ p(allowed findings), with label smoothing.

    For an image whose finding is known it is the cross-entropy; for one that is only known to be "some tumor"
    it asks that the tumor probabilities together be large, and leaves their division open (Jin and Ghahramani,
    "Learning with Multiple Labels", 2002).

    Args:
        smoothing: Weight of the uniform distribution over the findings, in [0, 1).

    Returns:
        A function of targets `(N, M, 4)` and logits `(N, 4)` to losses `(N,)`. Of an image that is a mixture of M
        images each has a row, with the image's share at each of its allowed findings and 0 at the others; shares
        sum to 1, and the losses are added by them.
    """
    from keras import ops

    def loss(allowed: Any, logits: Any) -> Any:
        logits = ops.cast(logits, "float32")
        log_p = logits - ops.logsumexp(logits, axis=-1, keepdims=True)
        # A large negative number instead of log(0) keeps the gradient finite.
        masked = ops.where(allowed > 0.0, ops.expand_dims(log_p, axis=1), -1e9)
        fitted = -ops.sum(ops.max(allowed, axis=-1) * ops.logsumexp(masked, axis=-1), axis=-1)
        return (1.0 - smoothing) * fitted - smoothing * ops.mean(log_p, axis=-1)

    return loss


def location_loss(sharpness: float) -> Any:
    """Make the loss that asks the evidence for a tumor to lie where the tumor is.

    The contrast of the tumor's class map becomes a distribution over places by a softmax; the loss is its
    cross-entropy to the tumor's box, spread over the cells that it covers. Images without a box cost nothing.

    Args:
        sharpness: Factor of the contrast before the softmax; a smaller one asks for larger differences.

    Returns:
        A function of places `(N, h, w, 4)` (see `Batches.batch`) and class maps `(N, h, w, 4)` to losses `(N,)`.
    """
    from keras import ops

    def loss(places: Any, class_maps: Any) -> Any:
        maps = ops.cast(class_maps, "float32")
        contrast = sharpness * (maps - ops.mean(maps, axis=-1, keepdims=True))
        log_p = contrast - ops.logsumexp(contrast, axis=(1, 2), keepdims=True)
        return -ops.sum(places * log_p, axis=(1, 2, 3))

    return loss


def lesion_loss(positive: float = 2.0) -> Any:
    """Make the loss of the lesion head: whether each place of the image holds a tumor.

    A binary cross-entropy over the places whose truth is known. It teaches the features what a tumor looks like from
    every place of an outlined slice, where the label of the whole image is a single bit.

    Args:
        positive: Weight of places inside a tumor, which are rare.

    Returns:
        A function of targets `(N, h, w, 1)` in [0, 1], or -1 where unknown, and logits `(N, h, w, 1)` to losses
        `(N,)`.
    """
    from keras import ops

    def loss(lesion: Any, logits: Any) -> Any:
        logits = ops.cast(logits, "float32")
        known = ops.cast(lesion >= 0.0, "float32")
        target = ops.maximum(lesion, 0.0)
        # log(1 + exp(x)) without overflow.
        softplus = ops.maximum(logits, 0.0) + ops.log1p(ops.exp(-ops.abs(logits)))
        weight = known * (1.0 + (positive - 1.0) * target)
        return ops.sum(weight * (softplus - target * logits), axis=(1, 2, 3)) / ops.maximum(
            1.0, ops.sum(known, axis=(1, 2, 3))
        )

    return loss
