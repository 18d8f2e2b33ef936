"""The CUDA device behind one interface, its kernels and how they are compiled."""
