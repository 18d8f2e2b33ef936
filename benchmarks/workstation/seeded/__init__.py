"""Seeded models in each method's published form: files as a user would bring them."""
