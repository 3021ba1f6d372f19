"""Rows of a large installation: who uploads what and when, and how the rows are stored fast."""
