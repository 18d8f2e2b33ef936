"""Methods that look at the tokens of a DINO: with a memory of them, or making them again."""
