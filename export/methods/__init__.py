"""One file per method of the papers: its published form becomes a `Source`."""
