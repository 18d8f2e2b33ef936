"""Recorded parts through the same stages, without a line."""
