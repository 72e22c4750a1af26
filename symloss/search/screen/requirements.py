"""Findings that must not be refuted for any loss of the front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symloss.errors import SymlossError
from symloss.expr import Loss
from symloss.search.record.memory import Store

__all__ = ["Requirements"]


class Requirements:
    """Asks theory about a loss, and remembers the answer.

    Args:
        names: of the findings, as `symloss analyze` prints them.
        classes: of the task.
        store: the memory of the run.
    """

    def __init__(self, names: Sequence[str], classes: int | None, store: Store) -> None:
        self.names, self.classes, self.store = tuple(names), classes, store

    def check(self, ordinary: Loss) -> None:
        """Asks about the ordinary loss once, to see that the names are names of findings.

        Raises:
            SymlossError: for one that is not.
        """
        if self.names:
            known = self._findings(ordinary)
            for name in self.names:
                if name not in known:
                    raise SymlossError(f"unknown finding {name!r}: expected one of {', '.join(known)}")

    def refuted(self, loss: Loss) -> str:
        """Which requirement is refuted and why, or `""`."""
        return str(self._known(loss)["refuted"]) if self.names else ""

    def proofs(self, loss: Loss) -> list[str]:
        """For each requirement its verdict on a loss, with the argument."""
        return list(map(str, self._known(loss)["proofs"])) if self.names else []

    def _known(self, loss: Loss) -> dict[str, Any]:
        answer = self.store.get("requirement", str(loss))
        # An answer in the form of another version is asked for again.
        if not isinstance(answer, dict) or set(answer) != {"refuted", "proofs"}:
            answer = self._ask(loss)
            self.store.put("requirement", str(loss), answer)
        return answer

    def _ask(self, loss: Loss) -> dict[str, Any]:
        try:
            findings = self._findings(loss)
        except SymlossError as error:
            return {"refuted": f"required {', '.join(self.names)}: {error}", "proofs": []}
        said = {name: f"{verdict}: {why}" if why else verdict for name, (verdict, why) in findings.items()}
        refuted = next((name for name in self.names if findings[name][0] == "refuted"), None)
        return {
            "refuted": f"required {refuted} is {said[refuted]}" if refuted else "",
            "proofs": [f"{name} is {said[name]}" for name in self.names],
        }

    def _findings(self, loss: Loss) -> dict[str, tuple[str, str]]:
        from symloss.theory import analyze  # takes a second to import, and most searches require nothing

        findings = analyze(loss, self.classes, patience=None).findings  # a front may not hang on a clock
        return {name: (finding.verdict, finding.reason) for name, finding in findings.items()}
