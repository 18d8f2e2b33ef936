"""Edge runtime for multi-view 3D anomaly inspection."""

import os

__version__ = "0.2.0"

# onnxruntime's own builds report to their maker unless told not to before they are loaded
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
