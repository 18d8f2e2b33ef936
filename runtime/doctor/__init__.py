"""What this machine lacks, row by row, each with what to type."""
