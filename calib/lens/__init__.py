"""Pixels and rays: the lens and its calibration."""
