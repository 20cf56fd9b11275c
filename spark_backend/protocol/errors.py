"""The one exception that a user can cause."""


class SparkError(Exception):
    """A fault of the input or the machine, told in one sentence with a remedy.

    The command line prints it and exits with 1; the add-on reports it. Anything else that is raised is a bug.
    """


class Cancelled(Exception):
    """The user asked the running job to stop."""
