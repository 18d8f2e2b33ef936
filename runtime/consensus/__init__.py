"""What all views say together of a place, where each alone may explain it."""
