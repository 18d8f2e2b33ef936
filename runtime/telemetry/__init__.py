"""What Prometheus, systemd and the log are told."""
