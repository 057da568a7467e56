"""Text for messages: numbers with their nouns."""


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "vote"), counted(1200, "vote"), counted(2, "entry")
    ('1 vote', '1,200 votes', '2 entries')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
