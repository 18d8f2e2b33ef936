"""How well defects are found, on the public scans and at the size of the published ones."""
