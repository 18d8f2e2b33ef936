"""What other programs draw of a recorded job: its messages and their bytes."""
