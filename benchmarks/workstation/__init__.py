"""What the exporters reach, in the environment of the workstation."""
