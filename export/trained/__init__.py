"""A trained model becomes a recipe, or a named reason why not."""
