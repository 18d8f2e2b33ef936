"""Sections of a manifest that few recipes have: further cameras, descriptions of shape, trays."""
