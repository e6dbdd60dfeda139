"""The exceptions that end a command without a stack trace."""


class UserError(ValueError):
    """Something that the user can fix: a flag, a file, a folder, a full disk.

    The message is one complete line: what is wrong, the value, what is allowed,
    and the flag. Several problems have a line each. Commands print it and exit
    with 1.
    """


class Interrupted(BaseException):
    """The work was interrupted and its progress saved; the message says where.
    """
