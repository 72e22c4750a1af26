"""The names that users type."""

from __future__ import annotations

import pytest

import symloss as sl


@pytest.mark.parametrize("name", sl.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert getattr(sl, name).__doc__


def test_unknown_names_and_listing() -> None:
    assert set(dir(sl)) == set(sl.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'evolve'"):
        sl.evolve  # noqa: B018
