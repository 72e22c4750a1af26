"""Workers on a Ray cluster: on this machine, or on as many as the cluster has."""

from __future__ import annotations

import os
import pickle
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from symloss.errors import RunError

__all__ = ["RayCluster"]

A = TypeVar("A")
R = TypeVar("R")

RETRIES = 5
"""How often Ray gives a piece of work to another worker after its own, or its node, has died."""


class RayCluster:
    """Work as Ray tasks of one CPU each. Use as a context manager.

    A Ray that runs in this process already is used as it is, and left running.
    """

    def __init__(self, workers: int, address: str | None, gpus: float) -> None:
        try:
            import ray
        except ImportError:
            raise RunError("the ray executor needs Ray: pip install 'symloss[ray]'") from None
        self._ray: Any = ray
        self.workers = workers
        self._owned = not ray.is_initialized()
        if self._owned:
            _reach(address)
            # Ray reports usage over the network unless told not to; a user's own setting stands.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            where: dict[str, Any] = (
                {"address": address} if address else {"address": "local", "num_cpus": workers}
            )
            try:
                ray.init(**where, include_dashboard=False, log_to_driver=False, configure_logging=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                reason = str(error).strip().split("\n")[0]
                raise RunError(f"no Ray cluster at {address or 'this machine'}: {reason}") from None
        self._put: tuple[bytes, Any] = (b"", None)
        self._options = {"num_cpus": 1, "num_gpus": gpus, "max_retries": RETRIES}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owned:
            self._ray.shutdown()

    def map_ordered(
        self,
        function: Callable[[A], R],
        items: Sequence[A],
        on_done: Callable[[int, R], object] | None = None,
    ) -> Iterator[R]:
        """See `Executor`. What a killed node was doing is done again elsewhere."""
        work = self._ray.remote(**self._options)(_alone)
        shared = self._shared(pickle.dumps(function))
        # Pickled here, so that an ImportError on a node arises in `_alone`, where it becomes one clear line.
        references = {work.remote(shared, pickle.dumps(item)): i for i, item in enumerate(items)}
        pending, answers, turn = list(references), dict[int, R](), 0
        try:
            while pending:
                (done,), pending = self._ray.wait(pending, num_returns=1)
                i = references[done]
                answers[i] = answer = self._answer(done)
                if on_done is not None:
                    on_done(i, answer)
                while turn in answers:
                    yield answers.pop(turn)
                    turn += 1
        finally:
            # Left early, by an error or Ctrl-C: the cluster must not go on with work that nobody waits for.
            for reference in pending:
                self._ray.cancel(reference)

    def _shared(self, function: bytes) -> Any:
        # Put once, fetched once by each node, for all calls: a function may carry the data of a task.
        if function != self._put[0]:
            self._put = (function, self._ray.put((function, list(sys.path))))
        return self._put[1]

    def _answer(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            # The function's own exception, as in the other executors, and not Ray's wrapper with a remote traceback.
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().split("\n")[0]
            raise RunError(f"work was lost {RETRIES + 1} times on the cluster: {reason}") from None


def _reach(address: str | None) -> None:
    """Ray itself takes minutes to find that nobody answers."""
    match = re.fullmatch(r"(?:ray://)?\[?([^/\]]+)\]?:(\d+)", address or "")
    if match:
        try:
            socket.create_connection((match[1], int(match[2])), timeout=10).close()
        except (OSError, OverflowError) as error:
            raise RunError(f"no Ray cluster at {address}: {error}") from None


def _alone(shared: tuple[bytes, Sequence[str]], item: bytes) -> Any:
    function, path = shared
    # Modules of the user's own are found where the driver finds them, if they are there on this node.
    sys.path.extend(entry for entry in path if entry not in sys.path)
    try:
        work, its = pickle.loads(function), pickle.loads(item)
    except ImportError as error:
        raise RunError(f"a node of the cluster lacks what the work needs: {error}") from None
    return work(its)
