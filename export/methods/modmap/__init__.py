"""ModMap: crossmodal mapping between all pairs of views, its two graphs, its trained file."""
