"""What others say, made fit for a message."""

from __future__ import annotations

MOST_CHARACTERS = 300  # of another program's words; beyond them nobody reads on


def one_line(said: BaseException | str, most: int | None = MOST_CHARACTERS) -> str:
    """Without line breaks, at a length that is read; an error without words has its type's name.

    most: characters; None: all.
    """
    line = " ".join(str(said).split())
    return (line or type(said).__name__)[:most] if isinstance(said, BaseException) else line[:most]
