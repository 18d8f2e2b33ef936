"""Tests that need the workstation: torch, timm, anomalib."""
