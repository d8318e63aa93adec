"""What the engine tells its user when something cannot be done."""


class UserError(Exception):
    """A failure that the user can mend; its message is one sentence: what is wrong, what to do."""


class Cancelled(Exception):  # noqa: N818
    """The job was asked to stop; its checkpoint is written and the same command resumes it."""
