"""The one error that a second try may cure; `truth.py` turns it into exit code 75."""


class PassingFaultError(Exception):
    """A service did not answer as it should, and may do so later."""
