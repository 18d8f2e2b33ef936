"""What must be known before a file is believed: bounds, owner, the box's key, which code runs."""
