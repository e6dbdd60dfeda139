"""The exceptions that end a command without a stack trace."""


class UserError(ValueError):
    """Something that the user can mend: a flag, a file, a folder, a full disk.

    The message is complete: what is wrong, the value, what is allowed, and the
    flag. Commands print it as one line and exit with 1.
    """


class Interrupted(BaseException):
    """The work was told to stop, and what was done is saved.

    The message says where the work stands.
    """
