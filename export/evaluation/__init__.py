"""How good is a recipe? Published layouts in, the papers' figures out. No torch in here."""
