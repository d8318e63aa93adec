"""Errors that end a job: a mistake that the user can correct, or a request to stop."""


class UserError(Exception):
    """A failure that the user can correct; its message says what is wrong, where and what to do."""


class Cancelled(Exception):  # noqa: N818
    """A request to stop the job; its checkpoint is written and the same command resumes it."""
