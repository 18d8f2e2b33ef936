"""One graph, served only after it gave the recipe's own scores; building TensorRT plans."""
