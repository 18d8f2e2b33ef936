"""EfficientAD, from an anomalib checkpoint or from the public implementation's three networks."""
