"""One part before several cameras: an inspector for each, one verdict of all."""
