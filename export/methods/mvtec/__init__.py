"""The networks and the variation model of MVTec 3D-AD."""
