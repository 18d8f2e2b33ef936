"""One job on one page, from its recording: what was decided, why, what to do, where it is seen."""
