"""The pages that the code writes itself, and what the page builder is helped with."""
