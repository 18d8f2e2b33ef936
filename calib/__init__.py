"""Board images and robot poses become calibration.json, with proof of how good it is."""
