"""What is printed, and where it was seen."""
