"""What a depth map tells of shape, for models that ask for it: FPFH, groups of points."""
