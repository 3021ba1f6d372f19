"""Hand the pieces of a growing answer from the event loop of a request to the thread that stores them."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from queue import Queue
from threading import Event, Thread
from typing import Any

Put = Callable[[Any], bool]
"""Hand over a piece. Return False if the reader wants no more."""


def pieces_of(work: Callable[[Put], Coroutine[Any, Any, Any]]) -> Generator[Any, None, None]:
    """Yield the pieces that a coroutine hands over, then what it returns. Its exception is raised here.

    The coroutine runs in a thread of its own, because code that writes to the database must not run in an event loop.
    Closing the generator lets it end with its next piece.

    Args:
        work: returns the coroutine for a function that hands over a piece.
    """
    pieces: Queue[tuple[Any, bool]] = Queue()
    closed = Event()

    def put(piece: Any) -> bool:
        pieces.put((piece, False))
        return not closed.is_set()

    def run() -> None:
        try:
            pieces.put((asyncio.run(work(put)), True))
        except BaseException as error:  # The reader would wait forever.
            pieces.put((error, True))

    Thread(target=run, name="assistant-stream", daemon=True).start()
    try:
        is_last = False
        while not is_last:
            piece, is_last = pieces.get()
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        closed.set()
