"""What runs on the line: frames and poses in, one verdict out."""

__version__ = "0.1.0"
