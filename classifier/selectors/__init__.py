"""Every read, scoped to a person."""
