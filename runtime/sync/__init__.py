"""Whose time is it, and where was the camera at mid-exposure."""
