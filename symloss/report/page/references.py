"""What a run rests on, as BibTeX: the methods that it used and the losses that it names, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

__all__ = ["METHOD_KEYS", "bibtex", "keys_of_names"]

OURS = "symloss"
METHOD_KEYS: dict[str, tuple[str, ...]] = {
    "evomal": ("raymond2023", "raymond2023fast"),
    "gplfl": ("raymond2023",),
    "random": (),
    "taylorglo": ("gonzalez2021", "hansen2001"),
    "mixture": ("hansen2001",),
    "ml3": ("bechtle2021",),
    "adapt": ("raymond2023online",),
    "maml": ("finn2017",),
    "npbml": ("raymond2024procedural", "finn2017", "perez2018", "flennerhag2020"),
    "centroid": ("snell2017",),
    "landscape": ("li2018", "foret2021"),
}
"""By method of search, and by what else is done."""
_ZOO = {
    "ce": "good1952", "bce": "good1952", "brier": "brier1950", "focal": "lin2017", "focal-bce": "lin2017",
    "lsr": "szegedy2016", "sparse-lsr": "raymond2024", "ace": "raymond2023", "smooth-ace": "raymond2023",
    "gce": "zhang2018", "poly1": "leng2022", "sce": "wang2019", "baikal": "gonzalez2020", "ngl": "akhmedova2024",
    "taylorglo": "gonzalez2021", "mse": "gauss1809", "huber": "huber1964", "log-cosh": "green1990",
    "cauchy": "black1996", "charbonnier": "charbonnier1994", "geman-mcclure": "geman1985", "welsch": "dennis1978",
    "tukey": "beaton1974", "pinball": "koenker1978", "expectile": "newey1987", "barron": "barron2019",
    "logistic": "rafailov2023", "hinge": "cortes1995", "squared-hinge": "cortes1995", "exponential": "freund1997",
    "ipo": "azar2023", "savage": "masnadi2008", "tangent": "masnadi2010", "sigmoid": "mason1999",
    "ramp": "collobert2006", "unhinged": "rooyen2015", "cdpo": "mitchell2023", "rdpo": "chowdhury2024",
    "discopop": "lu2024",
}  # fmt: skip
_OF_KIND = {("mae", "classification"): "ghosh2017", ("mae", "regression"): "laplace1774"}
"""A name that two kinds share."""


def keys_of_names(names: Iterable[str], kind: str) -> tuple[str, ...]:
    """The references of losses with names, parameters or not; another text has none.

    >>> keys_of_names(["gce(q=0.5)", "best zoo: ce tuned", "runs/a#1"], "classification")
    ('zhang2018', 'good1952')
    """
    keys: dict[str, None] = {}
    for name in names:
        # The name without the task or role before it, and without parameters or treatment after it.
        word = re.split(r"[( ]", name.rpartition(": ")[2].strip())[0]
        key = _OF_KIND.get((word, kind)) or _ZOO.get(word)
        if key:
            keys[key] = None
    return tuple(keys)


def bibtex(keys: Iterable[str]) -> str:
    """The entries of these keys, each once, and that of symloss itself before them."""
    entries = _entries()
    return "\n\n".join(entries[key] for key in dict.fromkeys((OURS, *keys)))


@lru_cache
def _entries() -> dict[str, str]:
    text = files("symloss.report.page").joinpath("references.bib").read_text(encoding="utf-8")
    try:
        number = version("symloss")
    except PackageNotFoundError:
        number = "of a checkout"
    found = {}
    for entry in text.replace("@VERSION@", number).strip().split("\n\n"):
        name = re.match(r"@\w+\{(\w+),", entry)
        assert name is not None, entry
        found[name[1]] = entry.strip()
    return found
