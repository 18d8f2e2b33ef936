"""A guided change-over: a good part recorded, a recipe made of it, proven by more parts, served."""
