"""Compare models by what they said of the same images. Pure NumPy, without Django and without a network.

`evaluations.py` reads what `manage.py evaluate --record` wrote, `measures.py` says what is measured on which images,
`resampling.py` gives the intervals, `figures.py` and `differences.py` the figures of one model and the paired
differences of two, `curves.py` what is drawn, and `tables.py` CSV and LaTeX.
"""
