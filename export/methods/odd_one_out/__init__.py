"""Odd-One-Out: views of a tray become a volume, the volume instances, and each a score."""
