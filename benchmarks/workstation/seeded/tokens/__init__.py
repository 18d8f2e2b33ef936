"""Seeded models that look at the tokens of a DINO."""
