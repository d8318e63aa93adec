"""The job folder, events, cancel and resume."""
