"""Tests that need the real TensorRT for RTX, and no GPU."""
