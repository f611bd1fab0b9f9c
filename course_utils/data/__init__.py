"""Data sets of samples: one door, `load`, to drawn and to real frames.

A sample is a dict of tensors:

    image         float32 [3, H, W]   0..1
    segmentation  int64   [H, W]      class, -1 = void
    depth         float32 [1, H, W]   streets: inverse depth (disparity / 65535); indoors: metres; 0 = invalid
    normals       float32 [3, H, W]   unit vectors, x right, y up, z towards the viewer; 0 = invalid

Every data set has `classes` (int), `size` (H, W) and `source` (a caption: where the frames come from).
"""

from pathlib import Path

from torch.utils.data import Dataset

from course_utils.data.errors import DataError, require_one_of
from course_utils.data.npy_layout import LAYOUTS, SPLITS, NpyLayout
from course_utils.data.transforms import RandomFlip, RandomZoom, Transformed

__all__ = ["KINDS", "DataError", "NpyLayout", "RandomFlip", "RandomZoom", "Transformed", "check", "load"]

KINDS = {
    "synthcity": ("segmentation", "depth", "normals"),
    **{name: layout.targets for name, layout in LAYOUTS.items()},
}
"""The targets that each data set has, beside the image."""


def load(
    name: str,
    split: str,
    size: tuple[int, int] | None = None,
    classes: int | None = None,
    length: int | None = None,
    root: str | Path | None = None,
    seed: int = 0,
) -> Dataset:
    """The frames of one split of a data set. Built in chapter 01.

    Args:
        name: "synthcity" (drawn, always there), "cityscapes" or "nyuv2" (read from `root`).
        split: "train" or "val".
        size: (H, W) in pixels; by default 128 x 256 for SynthCity, and the size on disk for real data.
        classes: of the segmentation; by default 7, and 13 for NYUv2, which has no other.
        length: how many frames, the first ones. Real data must have that many.
        root: folder of the real data, see `NpyLayout`; not for SynthCity.
        seed: which SynthCity to draw; real data do not depend on it.

    Raises:
        DataError: with what was found, what was expected and what to do.
    """
    require_one_of("name", name, KINDS)
    require_one_of("split", split, SPLITS)
    if name in LAYOUTS:
        root = _given_root(name, root)
        return NpyLayout(root, split, dataset=name, size=size, classes=classes, length=length)
    if root is not None:
        raise DataError(f"root={str(root)!r}, but {name} is drawn and not read from disk; leave root out.")

    from course_utils.data.synthcity import SynthCity  # brings in OpenCV, which real data do not need

    options = {"size": size, "classes": classes, "length": length}
    given = {argument: value for argument, value in options.items() if value is not None}
    return SynthCity(split, seed=seed, **given)


def check(name: str, root: str | Path | None) -> list[str]:
    """Count the files of a real data set and read the first frame of each split.

    Returns:
        A line per split, such as "train: 795 image, 795 label, 795 depth; 288 x 384 pixels, 13 classes".

    Raises:
        DataError: if a file of any kind is missing in either split, or a first frame is damaged.
    """
    require_one_of("name", name, LAYOUTS)
    report = []
    for split in SPLITS:
        frames = NpyLayout(_given_root(name, root), split, dataset=name)
        frames[0]  # raises a DataError if it cannot be read
        counts = ", ".join(f"{len(files)} {_folder(files)}" for files in frames.files.values())
        height, width = frames.size
        report.append(f"{split}: {counts}; {height} x {width} pixels, {frames.held_classes} classes")
    return report


def _folder(files: dict[int, Path]) -> str:
    return next(iter(files.values())).parent.name


def _given_root(name: str, root: str | Path | None) -> str | Path:
    if root is None:
        raise DataError(
            f"{name} is real data and must lie on your disk: get it with data_download.sh, "
            "then pass its folder as root= (--data-root on the command line)."
        )
    return root
