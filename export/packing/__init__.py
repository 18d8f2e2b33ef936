"""Parts become a recipe folder, whole and hashed or not at all."""
