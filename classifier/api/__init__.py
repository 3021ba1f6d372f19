"""REST: translates, decides nothing."""
