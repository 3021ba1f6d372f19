"""Learning rates that fall from the head to the first block, since early layers transfer well."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from classifier.inference.network import blocks_of


class LayerwiseLearningRates:
    """Discriminative learning rates (Howard and Ruder, 2018), on any Keras backend and for any optimizer.

    A step is taken with one rate for all, and then each block is moved back along it, which is the same as a smaller
    rate and a smaller weight decay for that block.
    """

    def __init__(self, network: Any, *, decay: float) -> None:
        """Choose each block's share of a step.

        Args:
            network: A model made by `build_network`.
            decay: Share of its successor's step that a block takes, in (0, 1]; the head takes whole steps. 1 leaves
                all rates alike.
        """
        self._slowed: list[tuple[Any, float]] = []
        if decay == 1.0:
            return
        blocks = blocks_of(network)
        last = max(block for _, block in blocks)
        for layer, block in blocks:
            self._slowed += [(variable, decay ** (last + 1 - block)) for variable in layer.trainable_variables]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Shorten the step that is taken inside."""
        before = self._arrays()
        yield
        for (variable, share), old, new in zip(self._slowed, before, self._arrays(), strict=True):
            variable.assign(old + share * (new - old))

    def _arrays(self) -> list[Any]:
        from keras import ops

        return [np.array(ops.convert_to_numpy(variable.value)) for variable, _ in self._slowed]
