"""The one error a user is meant to read."""


class UserError(Exception):
    """A mistake the user can mend, in one line: what is wrong, what was expected, how to fix it.

    The command line prints the message on stderr and exits with code 2.
    """
