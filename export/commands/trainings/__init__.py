"""`voxgate train METHOD`: what every training is asked, and those that ask for much."""
