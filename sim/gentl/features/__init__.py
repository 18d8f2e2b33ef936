"""What the virtual camera offers: one row per SFNC 2.7 feature, one address per register."""
