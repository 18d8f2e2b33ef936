"""Where camera and surface are: lens, hand-eye, rays, planes; whether they still agree."""
