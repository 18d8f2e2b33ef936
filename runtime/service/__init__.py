"""`voxgate run`: opens everything, turns the loop, leaves nothing behind."""
