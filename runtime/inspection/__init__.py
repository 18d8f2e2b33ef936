"""The method: views in, one verdict out; no thread, socket, clock or file."""
