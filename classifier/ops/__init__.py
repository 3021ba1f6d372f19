"""Health checks and metrics, for administrators and monitoring."""
