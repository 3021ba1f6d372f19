"""Explanations of a scan's result in words."""
