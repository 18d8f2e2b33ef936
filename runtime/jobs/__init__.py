"""One job from start_job to its one verdict."""
