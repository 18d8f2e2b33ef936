"""One light module per method."""
