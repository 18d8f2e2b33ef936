"""Edge runtime for multi-view 3D anomaly inspection."""

__version__ = "0.2.0"
