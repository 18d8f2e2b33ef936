"""Crossmodal feature mapping: its graph, the forms its mappings were saved in, its trained file."""
