"""Each part of a tray against what its neighbours agree on: shape and look."""
