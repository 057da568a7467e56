"""Text of unknown origin, made safe for a terminal."""


def printable(text: str) -> str:
    """The text with control characters written as escapes, such as `\\\\x1b`."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
