"""The one exception for input that cannot be used."""


class InputError(ValueError):
    """Photographs, a folder or a data spec that the user gave cannot be used.

    The message is complete in itself: what was wrong, the value, what is
    allowed, and the flag. Commands print it as one line and exit with 1.
    """


class Interrupted(BaseException):
    """The work was told to stop; what was done is saved.

    Its message says where the work stands.
    """
