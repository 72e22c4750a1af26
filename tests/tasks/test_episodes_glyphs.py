"""Letters drawn from fonts: always there, distinct, the same every time, and cached as plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageFont

from symloss.errors import TaskError
from symloss.tasks.episodes import PARTS, load_episodes
from symloss.tasks.episodes import glyphs as module
from symloss.tasks.episodes.glyphs import INSTANCES, SCRIPTS


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A few letters, drawn anew: the whole takes seconds."""
    few = pytest.MonkeyPatch()
    few.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    few.setattr(module, "SCRIPTS", {"train": ("GREEK",), "val": ("HEBREW",), "test": ("ARMENIAN",)})
    few.setattr(module, "_RECIPE", "a few letters")
    module._drawn.cache_clear()
    yield load_episodes("glyphs")
    few.undo()
    module._drawn.cache_clear()


def test_letters_are_classes_with_twenty_drawings(drawn):
    facts = drawn.describe()
    assert facts["inputs"] == [1, 28, 28]
    assert all(facts["classes"][part] >= 15 for part in PARTS)
    assert all(facts["instances"][part] == INSTANCES * facts["classes"][part] for part in PARTS)
    assert "GREEK SMALL LETTER OMEGA" in drawn.classes("train")
    assert {name.split()[0] for name in drawn.classes("test")} == {"ARMENIAN"}


def test_every_drawing_has_ink_within_the_image_and_they_differ(drawn):
    inputs, labels = drawn.pool("train")
    assert inputs.min() == 0
    assert inputs.max() == 1
    assert (inputs.sum((1, 2, 3)) > 8).all()
    assert inputs.flatten(1).unique(dim=0).shape[0] == labels.numel()
    for edge in (inputs[..., 0, :], inputs[..., -1, :], inputs[..., 0], inputs[..., -1]):
        assert edge.mean() < 0.01


def test_letters_that_look_alike_are_one_class():
    font = ImageFont.truetype(str(module._fonts()[0]), 48, layout_engine=ImageFont.Layout.BASIC)
    #                          A and Greek's Alpha, a space, o and O, p turned, a dot
    assert module._distinct(["A", "Α", " ", "o", "O", "p", "d", "."], font) == ["A", "o", "p", "d"]


def test_the_second_time_they_come_from_the_cache(drawn, monkeypatch):
    monkeypatch.setattr(module, "_draw", lambda fonts, size: pytest.fail("drawn again"))
    module._drawn.cache_clear()
    assert load_episodes("glyphs").fingerprint == drawn.fingerprint


def test_they_are_drawn_alike_every_time(drawn, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module._drawn.cache_clear()
    assert load_episodes("glyphs").fingerprint == drawn.fingerprint


def test_a_letter_moves_with_its_jitter():
    ink = module.Image.new("L", (30, 30), 255)
    still = np.asarray(module._placed(ink, np.eye(2, 3), 28))
    assert still.sum() == pytest.approx(255 * 18 * 18, rel=0.02)
    assert np.array_equal(still, still[::-1, ::-1])
    moved = np.asarray(module._placed(ink, np.array([[1, 0, 2 / 28], [0, 1, -1 / 28]]), 28))
    assert np.array_equal(moved[:-1, 2:], still[1:, :-2])
    grown = np.asarray(module._placed(ink, 10 / 9 * np.eye(2, 3), 28))
    assert grown.sum() == pytest.approx(255 * 20 * 20, rel=0.02)


def test_scripts_of_the_parts_are_disjoint():
    scripts = [script for part in PARTS for script in SCRIPTS[part]]
    assert len({*scripts}) == len(scripts)


def test_fonts_that_are_absent(monkeypatch):
    monkeypatch.setattr(module, "FONTS", ("Nowhere",))
    with pytest.raises(TaskError, match=r"glyphs needs the fonts of matplotlib, and Nowhere\.ttf is not in"):
        module._fonts()
