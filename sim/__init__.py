"""The virtual cell: a robot, a camera and their clocks, wrong in realistic ways."""
