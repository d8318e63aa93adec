"""Jobs: the folder, events, budget, checkpoints, cancelling."""
