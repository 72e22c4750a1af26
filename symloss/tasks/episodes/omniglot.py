"""Omniglot: handwritten characters of fifty alphabets, in the folders that torchvision makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from symloss.errors import TaskError
from symloss.tasks.data.folders import data_folder
from symloss.tasks.episodes.decode import decoded, images_in
from symloss.tasks.episodes.episode import PARTS
from symloss.tasks.episodes.images import ImageClass, ImageEpisodes
from symloss.tasks.episodes.splits import omniglot_split

__all__ = ["omniglot"]


def omniglot(data: str | Path | None = None, size: int | None = None) -> ImageEpisodes:
    """1,623 characters and their three quarter turns as 6,492 classes, 20 drawings each, 28 x 28, ink 1 on 0.

    Read from `omniglot-py/images_background/ALPHABET/characterNN/*.png` and `images_evaluation` in the data folder.
    The parts are those of Vinyals et al. (2016): 1,028, 172 and 423 characters. Grey values are kept: the drawings
    of 105 x 105 are averaged by Lanczos's filter, where MAML's release drops pixels.

    Args:
        data: the data folder; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.
        size: height and width, 28 unless given.

    Raises:
        TaskError: for data that are not there, or not all of them.

    Reference: Lake, Salakhutdinov, Tenenbaum (2015), "Human-level concept learning through probabilistic program
    induction".
    """
    home = data_folder(data)
    split = omniglot_split()
    files: list[Path] = []
    members: dict[str, list[ImageClass]] = {part: [] for part in PARTS}
    for part in PARTS:
        for character in split[part]:
            found = images_in(home / "omniglot-py" / character)
            if not found:
                raise TaskError(_absent(home, character))
            rows = np.arange(len(files), len(files) + len(found))
            files += found
            name = character.partition("/")[2]
            members[part] += [
                ImageClass(f"{name}/{90 * turns}" if turns else name, rows, turns) for turns in range(4)
            ]
    # Ink is black in the files, and 1 in most work since MAML's.
    images = 255 - decoded("omniglot", files, size=size or 28)
    return ImageEpisodes(
        "omniglot", images, {part: tuple(each) for part, each in members.items()},
        source=str(home / "omniglot-py"),
        notes=("split of Vinyals et al. (2016)", "a character turned by 90, 180 or 270 degrees is another class"),
    )  # fmt: skip


def _absent(home: Path, character: str) -> str:
    call = f"D('{home}', background=B, download=True)"
    return (
        f"omniglot is not in {home}: {Path('omniglot-py') / character} has no images; where there is a network run "
        f'python -c "from torchvision.datasets import Omniglot as D; [{call} for B in (True, False)]" and copy '
        "omniglot-py, or point SYMLOSS_DATA to its parent"
    )
