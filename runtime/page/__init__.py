"""The screen beside the line: a process of its own that only listens, for people to look at."""
