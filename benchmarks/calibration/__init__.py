"""How sure a calibration is, in cells whose truth is known."""
