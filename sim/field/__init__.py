"""The process in the field: arm, camera, clocks, and every fault."""
