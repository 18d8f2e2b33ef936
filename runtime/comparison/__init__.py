"""A view against the golden one: how the part stands, what is expected, what differs where."""
