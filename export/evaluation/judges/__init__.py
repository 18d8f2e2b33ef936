"""Who judges a case: volume, picture, voxels on a picture, stored scores."""
