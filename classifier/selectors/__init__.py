"""Reads, scoped to the user."""
