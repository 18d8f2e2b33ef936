"""Least squares, rigid motions, robust weights."""
