"""The deployable unit: manifest, files, signature, zones, classifier."""
