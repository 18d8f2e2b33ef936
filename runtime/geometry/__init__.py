"""Where camera, part and surface are: lens, hand-eye, golden surface, pose of this part, drift."""
