"""What ends a command of an operator's with a text instead of a traceback."""


class OperatorError(Exception):
    """Something the operator has to see to; the text says what to do next."""
