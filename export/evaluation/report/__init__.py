"""One page and some pictures for people."""
