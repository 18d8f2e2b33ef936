"""What was recorded: a scan or a job, as a folder or an MCAP file."""
