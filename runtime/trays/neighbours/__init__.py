"""Each instance of a tray against what its neighbours agree on: shape, free space, look."""
