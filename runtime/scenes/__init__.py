"""A tray of parts and no golden one: where each stands, and which differs from its neighbours."""
