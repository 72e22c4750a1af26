"""Letters of many scripts, drawn from the fonts that matplotlib ships: few-shot images without a download."""

from __future__ import annotations

import hashlib
import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, __version__

from symloss.errors import TaskError
from symloss.runs.seeds import generator
from symloss.tasks.episodes.cache import Arrays, remembered
from symloss.tasks.episodes.episode import PARTS
from symloss.tasks.episodes.images import ImageClass, ImageEpisodes

__all__ = ["SCRIPTS", "glyphs"]

#: Scripts of each part, as the Unicode names of their letters begin.
SCRIPTS = {
    "train": ("LATIN", "CYRILLIC", "CANADIAN"),
    "val": ("GREEK", "TIFINAGH", "LAO", "OLD", "COPTIC"),
    "test": ("GEORGIAN", "ARMENIAN", "ARABIC", "HEBREW", "NKO"),
}
_SPELT = {"CANADIAN": "Canadian syllabics", "OLD": "Old Italic", "NKO": "N'Ko"}
# DejaVu Sans first: it has the most letters, and by its shapes letters are told apart.
FONTS = (
    "DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral",
    "DejaVuSans-Bold", "DejaVuSerif-Bold", "DejaVuSansMono-Bold", "STIXGeneralBol",
    "DejaVuSans-Oblique", "DejaVuSerif-Italic", "DejaVuSansMono-Oblique", "STIXGeneralItalic",
    "DejaVuSans-BoldOblique", "DejaVuSerif-BoldItalic", "DejaVuSansMono-BoldOblique", "STIXGeneralBolIta",
)  # fmt: skip
INSTANCES = 20
"""Drawings of each letter, as many as Omniglot has."""
INK = 18 / 28
"""Longer side of a letter, as a share of the image, before the jitter."""
ALIKE = 0.85
"""Of two letters with a larger cosine of their images only the first is a class: A and Greek's Alpha, c and C."""
MARK = 0.4
"""Letters whose longer side is less than this, in heights of the font (x: 0.55), are left out: dots and strokes."""
# The first number is the version of the drawing code below: raise it with each change of what is drawn, or caches
# keep the old images.
_RECIPE = f"5 {FONTS} {SCRIPTS} {INSTANCES} {INK} {ALIKE} Pillow {__version__}"
_DRAWN, _FINER = 48, 2  # the size that fonts are set in; pixels of the drawing to a pixel of the image


def glyphs(size: int = 28) -> ImageEpisodes:
    """Some 900 letters as classes, 20 drawings of each, 28 x 28, ink 1 on 0; the parts share no script.

    Drawing i of a letter is in the i-th of the fonts that have it (upright, bold, italic, with serifs and without,
    fixed pitch), scaled to the image, then scaled again by 0.8 to 1.1 and up to 20 % along one axis, sheared by
    up to 0.3, rotated by up to 20 degrees and moved by up to two pixels in 28, each uniform. Letters that are composed
    (é), mere marks, or like one before them are left out.

    Args:
        size: height and width of an image.

    Raises:
        TaskError: where matplotlib has come without its fonts.
    """
    drawn = _drawn(size)
    images, letters = drawn["images"], [chr(point) for point in drawn["letters"]]
    parts: dict[str, list[ImageClass]] = {part: [] for part in PARTS}
    for place, letter in enumerate(letters):
        rows = np.arange(place * INSTANCES, (place + 1) * INSTANCES)
        parts[_part(letter)].append(ImageClass(unicodedata.name(letter), rows))
    return ImageEpisodes(
        "glyphs", images, {part: tuple(members) for part, members in parts.items()},
        source="fonts of matplotlib (DejaVu, STIX)",
        notes=tuple(f"{part}: {', '.join(_SPELT.get(each, each.title()) for each in SCRIPTS[part])}" for part in PARTS),
    )  # fmt: skip


@lru_cache(maxsize=2)
def _drawn(size: int) -> Arrays:
    """Images uint8 `[letters * INSTANCES, 1, size, size]` and code points of the letters."""
    fonts = _fonts()
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in fonts]
    arrays = remembered(f"glyphs-{size}", f"{_RECIPE} {size} {digests}", lambda: _draw(fonts, size))
    arrays["images"].flags.writeable = False  # shared by all who ask
    return arrays


def _fonts() -> list[Path]:
    import matplotlib  # imports slowly: only when it is asked for

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    paths = [folder / f"{name}.ttf" for name in FONTS]
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        raise TaskError(
            f"glyphs needs the fonts of matplotlib, and {absent[0]} is not in {folder}: pip install matplotlib "
            "brings them"
        )
    return paths


def _part(letter: str) -> str:
    script = unicodedata.name(letter, "").partition(" ")[0]
    return next((part for part in PARTS if script in SCRIPTS[part]), "")


def _draw(paths: list[Path], size: int) -> Arrays:
    from matplotlib.ft2font import FT2Font

    letters_of = [{chr(point) for point in FT2Font(str(path)).get_charmap()} for path in paths]
    # BASIC: Pillow's default is Raqm where that library is installed, and the drawings would depend on the
    # machine.
    fonts = [ImageFont.truetype(str(path), _DRAWN, layout_engine=ImageFont.Layout.BASIC) for path in paths]
    candidates = [
        letter
        for letter in sorted(letters_of[0])
        if unicodedata.category(letter) in ("Lu", "Ll", "Lo")
        # é is e with an accent: as a class of its own it would differ by a few pixels from another class.
        and unicodedata.normalize("NFKD", letter) == letter
        and _part(letter)
    ]
    letters = _distinct(candidates, fonts[0])
    images = np.empty((len(letters) * INSTANCES, 1, size, size), dtype=np.uint8)
    for place, letter in enumerate(letters):
        styles = [font for font, has in zip(fonts, letters_of, strict=True) if letter in has]
        inks = [_ink(letter, font) for font in styles]
        for each, jitter in enumerate(_jitters(letter)):
            image = _placed(inks[each % len(inks)], jitter, size)
            images[place * INSTANCES + each, 0] = np.asarray(image)
    return {"images": images, "letters": np.array([ord(letter) for letter in letters])}


def _ink(letter: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """The letter, cut out."""
    left, top, right, bottom = font.getbbox(letter)
    canvas = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    ImageDraw.Draw(canvas).text((-left, -top), letter, fill=255, font=font)
    return canvas.crop(canvas.getbbox() or (0, 0, 1, 1))


def _distinct(letters: list[str], font: ImageFont.FreeTypeFont) -> list[str]:
    """The letters that are no mere marks and look like none before them."""
    shapes = np.zeros((len(letters), 28 * 28))
    for place, letter in enumerate(letters):
        ink = _ink(letter, font)
        if max(ink.size) >= MARK * _DRAWN:
            shapes[place] = np.asarray(_placed(ink, np.eye(2, 3), 28)).ravel()
    # Sums of products of bytes are exact in float64, in any order: the same classes on every machine.
    products = shapes @ shapes.T
    squares = np.diag(products)
    # cos > ALIKE, squared, as no image has a negative pixel: no square root that might round differently.
    alike = products**2 > ALIKE**2 * np.outer(squares, squares)
    kept: list[int] = []
    for place in range(len(letters)):
        if squares[place] and not alike[place, kept].any():
            kept.append(place)
    return [letters[place] for place in kept]


def _jitters(letter: str) -> NDArray[np.float64]:
    """Affine maps `[INSTANCES, 2, 3]` around the centre of the image, the shift in shares of its side."""
    scale, stretch, shear, angle, right, down = generator(0, "glyph", ord(letter)).uniform(
        (0.8, -0.2, -0.3, -20, -2 / 28, -2 / 28), (1.1, 0.2, 0.3, 20, 2 / 28, 2 / 28), (INSTANCES, 6)
    ).T  # fmt: skip
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    # Rotation times shear and stretch.
    across = np.stack([cos * (1 + stretch), cos * shear - sin, right / scale], axis=1)
    along = np.stack([sin * (1 + stretch), sin * shear + cos, down / scale], axis=1)
    return scale[:, None, None] * np.stack([across, along], axis=1)


def _placed(ink: Image.Image, jitter: NDArray[np.float64], size: int) -> Image.Image:
    """The ink, its longer side `INK` of the image, in the middle, under an affine map."""
    fine = _FINER * size
    grown = jitter[:, :2] * INK * fine / max(ink.size)
    # Pillow wants the way back, from a pixel of the drawing to one of the ink.
    back = np.linalg.inv(grown)
    middle = np.array(ink.size) / 2 - back @ (fine / 2 + fine * jitter[:, 2])
    data = (*back[0], middle[0], *back[1], middle[1])
    drawing = ink.transform((fine, fine), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return drawing.reduce(_FINER)
