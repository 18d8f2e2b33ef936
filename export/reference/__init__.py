"""The default detector: one golden scan, a CPU, no weights."""
