"""The network of Odd-One-Out on the line: two graphs, the boxes between them, a score a part."""
