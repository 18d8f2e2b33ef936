"""`voxgate demo` and its picture."""
