"""Budgets and what follows a trained model's graph."""
