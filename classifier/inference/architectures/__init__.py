"""The architectures that a card can name: how each is built, and the input that it expects.

Every architecture is a backbone from images to feature maps. `classifier.inference.network` adds the same head to each
of them, so that class activation maps, the features of the refusal score, the training losses, and the engines do not
depend on the architecture. Keras is imported inside the functions, so that web processes can import this package.
"""

from classifier.inference.architectures.base import Architecture
from classifier.inference.architectures.catalog import ENSEMBLE, find_architecture

__all__ = ["ENSEMBLE", "Architecture", "find_architecture"]
