"""Work sent out in pieces, every answer stored as it arrives, so that a resumed run repeats none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from symloss.runs.executors import Executor

__all__ = ["Keyed", "Records", "answers"]


class Keyed(Protocol):
    """A piece of work."""

    @property
    def key(self) -> str:
        """What its answer is remembered under: everything that it depends on, within one run."""

    @property
    def size(self) -> int:
        """Its cost relative to other pieces, roughly."""


class Records(Protocol):
    """Where answers are remembered."""

    def put(self, kind: str, key: int | str, payload: Any) -> None:
        """Remembers a JSON-ready payload."""

    def get(self, kind: str, key: int | str) -> Any:
        """The payload, or None."""


P = TypeVar("P", bound=Keyed)


def answers(
    pieces: Sequence[P],
    do: Callable[[P], Any],
    fits: Callable[[P, Any], bool],
    store: Records,
    place: Executor,
    on_progress: Callable[[int, int], object],
    light: Callable[[P], P] = lambda piece: piece,
) -> Iterator[Any]:
    """The answers to some pieces, each remembered before it is given; one already known is not asked for.

    Args:
        pieces: of work.
        do: what is done, perhaps in another process; its answer is JSON-ready.
        fits: whether what a record holds is an answer to the piece.
        store: holds the answers, as records of the kind `work`.
        place: where the work is done.
        on_progress: called with how many are done and of how many, when work begins and with each answer.
        light: the piece as it is sent, without what goes with `do`.
    """
    known = {piece.key: store.get("work", piece.key) for piece in pieces}
    for piece in pieces:
        # What is no answer to the piece, whoever wrote it, is asked for again.
        if not fits(piece, known[piece.key]):
            known[piece.key] = None
    # The longest first: the short ones fill up what it leaves of the others' time.
    missing = sorted(
        # Pieces of one key are one piece of work, done once and answered everywhere.
        {piece.key: piece for piece in pieces if known[piece.key] is None}.values(),
        key=lambda piece: piece.size,
        reverse=True,
    )
    done = 0
    if missing:
        on_progress(0, len(missing))

    def remember(i: int, answer: Any) -> None:
        # As soon as it arrives, whoever's turn it is: a kill costs only what is not finished.
        nonlocal done
        store.put("work", missing[i].key, answer)
        done += 1
        on_progress(done, len(missing))

    # A generator: nothing is sent before the first answer that is missing is asked for.
    arriving = enumerate(place.map_ordered(do, [light(piece) for piece in missing], remember))
    for piece in pieces:
        # Answers come in the order of sending, the longest first, and leave in the order of the pieces: results must
        # not depend on how many workers there are.
        while known[piece.key] is None:
            i, answer = next(arriving)
            known[missing[i].key] = answer
        yield known[piece.key]
