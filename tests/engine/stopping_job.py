"""A job that asks to stop in the middle of its work."""

from pvd_engine.jobs.job import Job


class StoppingJob(Job):
    """Asks to stop after a number of looks at `cancelled`."""

    def __init__(self, folder, after):
        super().__init__(folder)
        self.left = after

    @property
    def cancelled(self):
        self.left -= 1
        return self.left < 0
