"""Point-MAE's features of a view's points: its network, the graph, the published way to them."""
