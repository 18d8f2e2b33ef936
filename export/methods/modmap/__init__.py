"""ModMap: crossmodal mapping between all pairs of views, its three graphs, its trained file."""
