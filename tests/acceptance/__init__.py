"""Limits, case files, figures, and site calibrations."""
