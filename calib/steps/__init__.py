"""One file per command: files in, a step and its report out."""
