"""Errors a caller can act on, with messages that are safe to print.

The command line prints them without a traceback.

SteelyardError
  InputError   data that does not fit: files, rows, shapes, classes, ids
  ConfigError  settings that cannot work, alone or together
  StoreError   a stored result that is missing, damaged or of another format
  TrainingError  a training run that went wrong: NaN loss, nothing learnt

Stopped is not an error: it carries a signal to the command line's exit code.
"""


def printable(text: str) -> str:
    """Text of unknown origin with control characters written as escapes, such as `\\x1b`."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class SteelyardError(Exception):
    """Base of every error this package raises on purpose: its message is one line.

    Names from files may hold line breaks and control characters, which are shown escaped.

    >>> print(InputError("column 'a\\nb' is empty"))
    column 'a\\nb' is empty
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class InputError(SteelyardError, ValueError):
    """Data that does not fit: files, rows, shapes, classes, ids."""


class ConfigError(SteelyardError, ValueError):
    """Settings that cannot work, alone or together."""


class StoreError(SteelyardError):
    """A stored result that is missing, damaged or of another format."""


class TrainingError(SteelyardError):
    """A training run that went wrong: NaN loss, nothing learnt."""


class TrainingCollapsed(TrainingError):
    """A run whose numbers ceased to be numbers, or that learnt nothing: no other run's concern."""


class Stopped(BaseException):
    """A signal asked the program to stop; what is stored is safe and the same command goes on.

    A BaseException, so that no handler of ordinary errors swallows it.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(f"stopped by signal {signal}")
        self.signal = signal
