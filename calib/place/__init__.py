"""Where the sensor sits and where the part stands."""
