# Language policy: EXEMPT from the Rust-path rule. Declares an exception; no computation.
"""The one error of the maintainer library."""

__all__ = ["GateError"]


class GateError(Exception):
    """Report bad input or a missing tool in one line.

    Parameters
    ----------
    message : str
        What is wrong, where, and why.
    hint : str, optional
        What to do next, usually a command.

    Examples
    --------
    >>> str(GateError("release.yaml: no version", hint="add `version:`"))
    'release.yaml: no version; add `version:`'
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint
