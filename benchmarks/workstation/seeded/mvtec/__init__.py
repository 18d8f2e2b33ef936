"""What the seeded networks of MVTec 3D-AD share."""
