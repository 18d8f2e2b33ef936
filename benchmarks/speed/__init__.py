"""What a view costs, stage by stage, on the CPU and on a GPU."""
