"""Part types that nobody tuned the detector to: made up, rendered, inspected like public ones."""
