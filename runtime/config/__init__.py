"""A cell's YAML: read, ranged, checked, frozen."""
