"""Real data in the folder layout of the MTAN authors: one .npy file per frame and kind.

    ROOT/{train,val}/image/{i}.npy    [H, W, 3]  RGB, floats 0..1 or integers 0..255
    ROOT/{train,val}/label/{i}.npy    [H, W]     classes from 0, -1 = void; Cityscapes also label_7, label_19
    ROOT/{train,val}/depth/{i}.npy    [H, W, 1]  metres (NYUv2), disparity / 65535 (Cityscapes); 0 = invalid
    ROOT/{train,val}/normal/{i}.npy   [H, W, 3]  x right, y up, z towards the viewer; 0 = invalid; NYUv2 only

Kaggle's Cityscapes set keeps the same folders one level lower, in ROOT/data. Any number type is read. Sides
of length 1 before or after the pixels are dropped, so a frame must be at least 2 pixels high and wide.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from course_utils.data.errors import DataError, require_one_of
from course_utils.data.transforms import Sample, resize
from course_utils.labels import coarsen

SPLITS = ("train", "val")


class Layout(NamedTuple):
    """What is particular to one data set."""

    source: str  # caption: where the frames come from
    folders: dict[str, str]  # kind -> folder
    classes: tuple[int, ...]  # that can be asked for, the default first
    largest_depth: float  # anything above is in the wrong unit
    unit: str  # of depth

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(kind for kind in self.folders if kind != "image")


LAYOUTS = {
    "cityscapes": Layout(
        source="Cityscapes (Cordts et al., CVPR 2016), MTAN authors' npy layout",
        folders={"image": "image", "segmentation": "label", "depth": "depth"},
        classes=(7, 2, 19),
        largest_depth=1.0,
        unit="inverse depth, disparity / 65535",
    ),
    "nyuv2": Layout(
        source="NYUv2 (Silberman et al., ECCV 2012), MTAN authors' npy layout",
        folders={"image": "image", "segmentation": "label", "depth": "depth", "normals": "normal"},
        classes=(13,),
        largest_depth=100.0,
        unit="metres",
    ),
}


class NpyLayout(Dataset):
    """Frames of one split, read from disk as they are asked for.

    Both splits are searched at once: every kind must be there, for the same frames. So a download that
    stopped half-way is found now and not after an epoch. Frames are sorted by number; numbers may be left
    out in all kinds alike. Built in chapter 01.

    Cityscapes' labels come in several sets. The first of these folders that exists is taken:

    1. `label_7` for classes=7, `label_2` for 2, `label_19` for 19.
    2. `label_19`, coarsened. Parking, bridges, caravans and the like are void among the 19 classes, so 7
       classes made of them have more void than the true 7.
    3. `label`. The name does not tell what it holds: the authors' holds 7 classes, the Kaggle set's 19. So
       the first 20 files are looked at. A class above 6 means 19; none means 7, for a street without
       vegetation, sky, people and cars is rare. Where no class is above 1 it cannot be told, and a DataError
       says so. To decide, rename the folder `label_7` or `label_19`.

    Args:
        root: the folder that holds train/ and val/, or holds them in data/; `~` is the home folder.
        split: "train" or "val".
        dataset: "cityscapes" or "nyuv2".
        kinds: targets to read, of "segmentation", "depth", "normals"; by default all that the data set has.
            Only their folders are searched and read. The image is always read.
        classes: 7, 2 or 19 (Cityscapes), 13 (NYUv2).
        size: (H, W) to resize to, see `transforms.resize`; the frames' own size by default.
        length: take only the first `length` frames; no more than there are.

    A sample holds image float32 [3, H, W] in 0..1, segmentation int64 [H, W] with -1 void, depth float32
    [1, H, W] with 0 invalid, normals float32 [3, H, W] of unit length or 0.

    Attributes: classes, size (H, W), source (caption), files (kind -> frame number -> path), held_classes
    (how many the label files hold; None when no labels are read).

    Raises:
        DataError: here if an argument is wrong or a file is missing; on access if a file is damaged or holds
            what it should not.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        *,
        dataset: str,
        kinds: tuple[str, ...] | None = None,
        classes: int | None = None,
        size: tuple[int, int] | None = None,
        length: int | None = None,
    ):
        require_one_of("split", split, SPLITS)
        require_one_of("dataset", dataset, LAYOUTS)
        self.layout = LAYOUTS[dataset]
        self.source = self.layout.source
        self.classes = self.layout.classes[0] if classes is None else classes
        require_one_of(f"for {dataset}, classes", self.classes, self.layout.classes)
        kinds = self.layout.targets if kinds is None else tuple(kinds)
        for kind in kinds:
            require_one_of(f"for {dataset}, kind", kind, self.layout.targets)

        root = find_root(root)
        self.files = find_files(root, self.layout, ("image", *kinds), self.classes)[split]
        numbers = sorted(self.files["image"])
        if length is not None and not 1 <= length <= len(numbers):
            raise DataError(
                f"length={length}, but {root / split} has {len(numbers)} frames; pass 1..{len(numbers)}."
            )
        self.numbers = numbers[:length]
        self.held_classes = None
        if "segmentation" in kinds:
            self.held_classes = _held_classes(self.files["segmentation"], self.layout, self.classes)
        self.resize_to = size
        self.size = frame_size(self.files["image"][numbers[0]]) if size is None else _checked_size(size)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Sample:
        number = self.numbers[index]
        paths = {kind: files[number] for kind, files in self.files.items()}
        sample = {"image": read_image(paths["image"])}
        if "segmentation" in paths:
            labels = read_labels(paths["segmentation"], self.held_classes)
            if self.held_classes != self.classes:
                labels = coarsen(labels, self.classes)
            sample["segmentation"] = torch.from_numpy(labels)
        if "depth" in paths:
            sample["depth"] = read_depth(paths["depth"], self.layout)
        if "normals" in paths:
            sample["normals"] = read_normals(paths["normals"])
        _require_same_size(sample, paths)
        return self._resized(sample, paths["image"])

    def _resized(self, sample: Sample, path: Path) -> Sample:
        if self.resize_to is not None:
            return resize(sample, self.size)
        found = tuple(sample["image"].shape[-2:])
        if found != self.size:
            raise DataError(
                f"{path}: {_pixels(found)}, but the first frame is {_pixels(self.size)}; "
                "pass size=(height, width) to bring all frames to one size."
            )
        return sample


# ---- which files are there ----


def find_root(root: str | Path) -> Path:
    """The folder that holds train/ and val/: `root`, or `root`/data as in Kaggle's set."""
    root = Path(root).expanduser()
    for folder in (root, root / "data"):
        if any((folder / split).is_dir() for split in SPLITS):
            return folder
    found = "it has neither" if root.is_dir() else "there is no such folder"
    raise DataError(
        f"{root}: expected a folder with train/ and val/ in it, or in its data/, but {found}. The layout is\n"
        f"  {root}/{{train,val}}/{{image,label,depth,normal}}/{{0,1,2,...}}.npy  (no normal in Cityscapes)\n"
        "Correct the path, or get the data with data_download.sh."
    )


def find_files(
    root: Path, layout: Layout, kinds: tuple[str, ...], classes: int
) -> dict[str, dict[str, dict[int, Path]]]:
    """Every file of both splits: split -> kind -> frame number -> path.

    Raises a DataError that lists, per split and kind, what is missing, unless each split has the same frames
    in every kind, and has any.
    """
    files, problems = {}, []
    for split in SPLITS:
        folders = {kind: root / split / layout.folders[kind] for kind in kinds}
        if "segmentation" in kinds and len(layout.classes) > 1:
            folders["segmentation"] = _label_folder(root / split, classes)
        files[split] = {kind: _numbered(folder) for kind, folder in folders.items()}
        problems += _missing(root, folders, files[split])
    if problems:
        raise DataError(
            f"{root}: incomplete. Each split must have the same frames in every folder, but\n  "
            + "\n  ".join(problems)
            + "\nHalf-copied or half-downloaded? Copy it again, or run data_download.sh."
        )
    return files


def _label_folder(split_folder: Path, classes: int) -> Path:
    names = dict.fromkeys((f"label_{classes}", "label_19", "label"))
    for name in names:
        if (split_folder / name).is_dir():
            return split_folder / name
    other = sorted(folder.name for folder in split_folder.glob("label_*"))
    if other:
        raise DataError(
            f"{split_folder}: has {', '.join(other)}, of which classes={classes} cannot be made; expected "
            f"{' or '.join(names)}. Pass the classes= that are there, or get the missing labels."
        )
    return split_folder / "label"


def _numbered(folder: Path) -> dict[int, Path]:
    """Frame number -> path of each .npy file in `folder`; empty if there is no such folder."""
    if not folder.is_dir():
        return {}
    files: dict[int, Path] = {}
    for path in folder.iterdir():
        if path.suffix != ".npy" or path.name.startswith("."):
            continue
        if not (path.stem.isascii() and path.stem.isdigit()):
            raise DataError(f"{path}: expected a frame number as name, such as 12.npy; rename or remove it.")
        if int(path.stem) in files:
            raise DataError(f"{path} and {files[int(path.stem)]} are the same frame; remove one of them.")
        files[int(path.stem)] = path
    return files


def _missing(root: Path, folders: dict[str, Path], files: dict[str, dict[int, Path]]) -> list[str]:
    """One line for each folder that is not there, is empty, or lacks frames that another one has."""
    expected = set().union(*files.values())
    problems = []
    for kind, folder in folders.items():
        missing = sorted(expected - set(files[kind]))
        name = folder.relative_to(root)
        if not folder.is_dir():
            problems.append(f"{name}: no such folder")
        elif not files[kind]:
            problems.append(f"{name}: no .npy files")
        elif missing:
            first = ", ".join(f"{number}.npy" for number in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            problems.append(f"{name}: {len(files[kind])} of {len(expected)} files; missing {first}{more}")
    return problems


def _held_classes(files: dict[int, Path], layout: Layout, classes: int) -> int:
    """How many classes the label files hold: by the folder's name or, for `label`, by their values.

    Raises a DataError if that cannot be told, or if `classes` cannot be made of them.
    """
    folder = next(iter(files.values())).parent
    if len(layout.classes) == 1:
        return classes
    if folder.name != "label":
        return int(folder.name.removeprefix("label_"))

    first = [files[number] for number in sorted(files)[:20]]
    largest = max(read_array(path).max() for path in first)
    if largest < 2:
        raise DataError(
            f"{folder}: cannot tell whether these are 2, 7 or 19 classes, for no class in the first "
            f"{len(first)} files is above 1. Rename the folder label_2, label_7 or label_19."
        )
    held = 19 if largest > 6 else 7
    if held == 7 and classes != 7:
        raise DataError(
            f"{folder}: holds 7 classes (no class in the first {len(first)} files is above 6), of which "
            f"classes={classes} cannot be made. Pass classes=7, or put 19-class labels into label_19."
        )
    return held


# ---- what is in a file ----


def read_array(path: Path) -> np.ndarray:
    """The numbers in an .npy file. Pickled objects are never loaded: unpickling can run any code."""
    try:
        with open(path, "rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Copy or download it again.") from error
    except Exception as error:  # numpy raises errors of many types over a damaged header
        raise DataError(
            f"{path}: truncated or not an .npy file ({error}). Copy or download it again."
        ) from error
    if array.dtype.kind not in "iuf":
        raise DataError(f"{path}: holds {array.dtype}, expected integers or floats. Convert the file.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(
            f"{path}: {np.count_nonzero(~np.isfinite(array))} of {array.size} values are NaN or infinite. "
            "Write 0 for invalid depth and normals, -1 for void labels."
        )
    return array


def read_image(path: Path) -> Tensor:
    """float32 [3, H, W] in 0..1; floats are taken as 0..1, integers as 0..255."""
    array = _pixel_map(read_array(path), 3, path)
    lowest, highest = array.min(), array.max()
    scale = 1 if array.dtype.kind == "f" else 255
    if lowest < 0 or highest > scale * 1.001:
        raise DataError(
            f"{path}: {array.dtype} values from {lowest} to {highest}, expected floats 0..1 or integers "
            "0..255. Convert the file."
        )
    return _channels_first(array).div_(scale).clamp_(max=1)


def read_labels(path: Path, classes: int) -> np.ndarray:
    """int64 [H, W] in -1..classes-1."""
    array = _pixel_map(read_array(path), 1, path)
    labels = array.astype(np.int64)
    wrong = (labels != array) | (labels < -1) | (labels >= classes)
    if wrong.any():
        raise DataError(
            f"{path}: value {array[wrong][0]}, but with {classes} classes a label is a whole number "
            f"0..{classes - 1}, or -1 for void. Write other void marks as -1. Were Cityscapes' labels taken "
            "for another set than they are? Rename the folder label_7 or label_19."
        )
    return labels


def read_depth(path: Path, layout: Layout) -> Tensor:
    """float32 [1, H, W] in the layout's unit, 0 invalid."""
    array = _pixel_map(read_array(path), 1, path)
    lowest, highest = array.min(), array.max()
    if lowest < 0 or highest > layout.largest_depth:
        raise DataError(
            f"{path}: values from {lowest} to {highest}, expected {layout.unit}, 0..{layout.largest_depth:g} "
            "with 0 for invalid. Convert the file."
        )
    return torch.from_numpy(array.astype(np.float32))[None]


def read_normals(path: Path) -> Tensor:
    """float32 [3, H, W] of unit length; zero vectors, which mark invalid pixels, stay zero.

    A pixel is valid if its *length* is above 0. The sum of its channels is no test: for (1, -1, 0) it is 0.
    """
    array = _pixel_map(read_array(path), 3, path)
    if array.dtype.kind == "u":
        raise DataError(f"{path}: {array.dtype} has no negative numbers, expected vectors. Convert the file.")
    normals = _channels_first(array)
    length = normals.square().sum(dim=0, keepdim=True).sqrt()
    return normals / length.where(length > 0, 1)


def frame_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image file."""
    return tuple(_pixel_map(read_array(path), 3, path).shape[:2])


def _pixel_map(array: np.ndarray, channels: int, path: Path) -> np.ndarray:
    """[H, W] if `channels` is 1, [H, W, channels] otherwise."""
    pixels = array.squeeze()
    fits = pixels.ndim == 2 if channels == 1 else pixels.ndim == 3 and pixels.shape[-1] == channels
    if not fits or not array.size:
        expected = "(H, W) or (H, W, 1)" if channels == 1 else f"(H, W, {channels})"
        raise DataError(f"{path}: shape {array.shape}, expected {expected}.")
    return pixels


def _channels_first(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.moveaxis(array, -1, 0).astype(np.float32, order="C"))


def _require_same_size(sample: Sample, paths: dict[str, Path]) -> None:
    size = sample["image"].shape[-2:]
    for kind, value in sample.items():
        if value.shape[-2:] != size:
            raise DataError(
                f"{paths['image']} is {_pixels(size)}, but {paths[kind]} is {_pixels(value.shape[-2:])}; "
                "all kinds of a frame must have one size. Are the two folders of the same download?"
            )


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    pair = isinstance(size, tuple | list) and len(size) == 2
    if not pair or not all(isinstance(side, int) and side > 0 for side in size):
        raise DataError(f"size={size!r}; expected (height, width) in whole pixels, such as (128, 256).")
    return tuple(size)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"
