"""Commands in, replies out: state, recipe and cameras of the cell."""
