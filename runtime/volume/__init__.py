"""Pixels to voxels to defects: the anomaly volume and what is read off it."""
