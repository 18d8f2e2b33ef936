"""Where the camera sits on the robot, or beside it."""
