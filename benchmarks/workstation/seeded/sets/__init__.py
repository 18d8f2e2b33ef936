"""Seeded models of the methods that score views together."""
