"""The job folder: events, budget, checkpoints, cancel."""
