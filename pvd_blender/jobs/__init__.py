"""Jobs of the engine: tasks, the session that runs them, and their results in the scene."""
