"""The input check: problems of an image that would mislead the network, found before its answer is shown."""

from classifier.inspection.checks import Problem, inspect_image
from classifier.inspection.mending import blanked, turned

__all__ = ["Problem", "blanked", "inspect_image", "turned"]
