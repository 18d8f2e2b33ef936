"""The papers' metrics, exact, on plain arrays."""
