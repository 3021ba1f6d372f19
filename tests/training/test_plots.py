"""Plots and pages use the same colors."""

import re

from classifier.training.plots import ACCENT, COLORS
from devtools.running import ROOT


def test_plots_have_the_colors_of_the_pages():
    tokens = (ROOT / "static" / "css" / "tokens.css").read_text()
    light = dict(re.findall(r"--(\w+): light-dark\((#\w+),", tokens))
    assert {name: light[name] for name in COLORS} == COLORS
    assert light["accent"] == ACCENT
