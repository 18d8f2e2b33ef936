"""The figures of the pages, measured again by one command: `make bench`."""
