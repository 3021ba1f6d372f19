"""The input check: problems of an image that would mislead the network, found before its answer is shown."""

from classifier.inspection.checks import Problem, inspect_image
from classifier.inspection.mending import Margins, blanked, cropped, free_margins, turned

__all__ = ["Margins", "Problem", "blanked", "cropped", "free_margins", "inspect_image", "turned"]
