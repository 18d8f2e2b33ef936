"""Bytes become pictures and depth in mm: files, PFNC formats, 3D components."""
