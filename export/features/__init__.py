"""Torch building blocks of the methods: weights, pictures, patches, banks."""
