"""What the box keeps of every job: the journal at once, the recording behind it."""
