"""GenICam cameras through harvesters: features, buffers, setup, probing."""
