"""Writes that people request."""
