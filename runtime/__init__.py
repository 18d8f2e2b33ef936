"""What runs on the line: frames and poses in, one verdict out."""
