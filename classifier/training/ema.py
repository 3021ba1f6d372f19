"""An exponential moving average of a network's weights, which generalizes better than the last step's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from classifier.inference.preprocessing import Float32Array


class ExponentialMovingAverage:
    """Follows the weights of a network (Polyak and Juditsky, 1992, with exponential forgetting).

    Attributes:
        momentum: Share of the average that a step keeps, in [0, 1); 0 keeps no average.
        every: Steps between two updates; the host copies all weights at each.
        values: float32 copies of `variables`, in order; empty without an average.
    """

    def __init__(self, variables: list[Any], *, momentum: float, every: int = 4) -> None:
        """Start from the present weights."""
        self.variables, self.momentum, self.every = variables, momentum, every
        kept = _arrays(variables) if momentum else []
        self.values: list[Float32Array] = [np.array(value, np.float32) for value in kept]

    def update(self, step: int) -> None:
        """Move the average on after step number `step` (from 1).

        The average forgets faster at first, by min(momentum, (1 + step) / (10 + step)), so that a
        short run is not dominated by its start.
        """
        if not self.values or step % self.every:
            return
        momentum = min(self.momentum, (1 + step) / (10 + step)) ** self.every
        for value, new in zip(self.values, _arrays(self.variables), strict=True):
            value += (1.0 - momentum) * (new - value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average, if there is one, into the network, and the trained weights back at the end."""
        if not self.values:
            yield
            return
        trained = [np.array(value) for value in _arrays(self.variables)]
        self._assign(self.values)
        try:
            yield
        finally:
            self._assign(trained)

    def _assign(self, values: list[Any]) -> None:
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)


def _arrays(variables: list[Any]) -> list[Any]:
    from keras import ops

    return [ops.convert_to_numpy(variable.value) for variable in variables]
