"""Acceptance of a model at a site: limits, case files, figures, and site calibrations. It does not import Django."""
