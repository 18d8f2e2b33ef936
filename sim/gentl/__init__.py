"""A virtual GenICam camera: a GenTL producer in C, and the Python that stands before its lens."""
