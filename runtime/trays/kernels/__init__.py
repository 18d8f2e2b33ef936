"""The inner loops of comparing the parts of a tray."""
