"""Jobs of the engine: the session, tasks, results."""
