"""A classifier over zones: its trees, and what they are told of each zone."""
