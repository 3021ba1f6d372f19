"""The REST API: parses requests and renders responses; services and selectors decide."""
