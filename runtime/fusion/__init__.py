"""Scores of one view into the volume, on the CPU or on the GPU, the same bits."""
