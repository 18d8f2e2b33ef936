"""Which part of a tray differs from its neighbours: nothing taught, no golden part."""
