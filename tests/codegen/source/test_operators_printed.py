"""Every operator that is called by name, in every language that formulas are printed in, against its row."""

from __future__ import annotations

import numpy as np
import pytest

from symloss.codegen.source.languages import DIALECTS
from symloss.codegen.source.plain import BACKENDS
from symloss.codegen.symbols import nodes
from symloss.expr import BY_HEAD, OPERATORS, RealFunction, parse

CALLED = sorted(name for name, row in OPERATORS.items() if not row.infix)


@pytest.mark.parametrize("language", BACKENDS)  # Triton's: tests/codegen/accelerator
@pytest.mark.parametrize("name", CALLED)
def test_printed_as_its_row_says(name: str, language: str) -> None:
    row = OPERATORS[name]
    text = f"{name}(p)" if row.arity == 1 else f"{name}(y, p)"
    function = parse(text, kind="regression").lambdify(language)
    for y, p in ((0.3, 1.75), (1.5, 0.25), (0.75, 0.75)):
        wanted = row.evaluate(*((p,) if row.arity == 1 else (y, p)))
        assert float(np.asarray(function(y, p))) == pytest.approx(wanted, rel=1e-6, abs=1e-12)


def test_the_projects_own_functions_have_a_compiled_form() -> None:
    """Others are compiled by their definition, which is right and may be slower, or overflow sooner."""
    own = {head for head in BY_HEAD if issubclass(head, RealFunction)}
    assert own <= set(nodes.COMPILED)
    assert set(nodes.CALLED.values()) <= set(DIALECTS["torch"].calls)
