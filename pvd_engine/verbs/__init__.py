"""The verbs of the engine, one file a verb."""
