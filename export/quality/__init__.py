"""How good is a recipe: thresholds from good parts, a scorer, a review."""
