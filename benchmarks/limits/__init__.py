"""How small a defect is still found on good parts, and how much these may vary."""
