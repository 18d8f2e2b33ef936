"""A cell in a browser, for people: a process of its own that listens, reads, changes nothing."""
