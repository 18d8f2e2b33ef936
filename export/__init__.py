"""Offline: one golden scan or a trained model becomes a recipe."""
