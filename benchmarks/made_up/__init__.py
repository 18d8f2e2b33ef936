"""Part types of another kind: made up, rendered, inspected like public ones."""
