"""Odd-One-Out is trained: published scenes, views rendered again, two stages, its figures."""
