"""Chapter 01, the data set: what its exercises expect and what its predictions explain."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from course_utils import labels
from course_utils.exercises.exercise import NotYet, exercise, expect, predict
from course_utils.exercises.expectations import (
    call,
    described,
    expect_callable,
    expect_close,
    expect_no_nan,
    expect_tensor,
    is_close,
)

SIZES = ((5, 7), (8, 3))

predict(
    "01.always_flat",
    "The one class that is answered gets its share of the pixels as its IoU, the other six get 0, and the mean "
    "divides by seven. The accuracy of the same answer looks seven times better.",
    factor=1.5,
    digits=1,
)

predict(
    "01.half_pixel",
    "The error grows with the square of the distance: ten times as far away, a hundred times the error.",
    unit="m",
    factor=1.2,
    digits=3,
)

predict(
    "01.noisy_normals",
    "A normal comes from the difference of neighbours. On the facade inverse depth changes from column to column by "
    "less than the noise, so the noise decides where the normal points.",
    unit="degrees",
    factor=1.4,
)

predict(
    "01.missing_file",
    {
        "when the data set is made": "That would be the best moment, but nobody looks at that folder then: only the "
        "names in the folder of the images are read.",
        "when frame 3 is read": "Making the data set only lists the images. The depth is opened when it is asked for, "
        "and with shuffled frames nobody knows when that is.",
        "never": "A file that is not there cannot be skipped by mistake: opening it raises an error. But the error "
        "comes late.",
    },
)


# ------------------------------------------------------------------------------------------------ the course's own


def answered(sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Where each target of a sample has an answer, bool [H, W]."""
    rules = {
        "segmentation": lambda classes: classes != labels.VOID,
        "depth": lambda depth: depth[0] != 0,
        "normals": lambda normals: (normals != 0).any(dim=0),
    }
    return {kind: rule(sample[kind]) for kind, rule in rules.items() if kind in sample}


def class_share(segmentation: Tensor, classes: int) -> Tensor:
    """Share of the labelled pixels [classes] that each class has; zeros where no pixel is labelled."""
    counts = torch.bincount(segmentation[segmentation >= 0], minlength=classes)
    return counts / counts.sum().clamp(min=1)


def q_from_file(p: np.ndarray) -> np.ndarray:
    """Inverse depth q, float32, from the 16-bit numbers of Cityscapes' disparity pictures."""
    return np.maximum(p.astype(np.float32) - 1, 0) / np.float32(65535)


def z_buffer(
    surface: np.ndarray, inverse_depth: np.ndarray, number: int, covered: np.ndarray, candidate: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both buffers after one more polygon."""
    nearer = covered & (candidate > inverse_depth)
    return np.where(nearer, number, surface).astype(surface.dtype), np.where(nearer, candidate, inverse_depth)


class NpyFrames(Dataset):
    """The frames of one split in the authors' layout."""

    folders = {"image": "image", "segmentation": "label", "depth": "depth"}

    def __init__(self, root: str | Path, split: str):
        self.folder = Path(root) / split
        self.numbers = sorted(int(path.stem) for path in (self.folder / "image").glob("*.npy"))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        name = f"{self.numbers[index]}.npy"
        arrays = {
            kind: torch.from_numpy(np.load(self.folder / folder / name)) for kind, folder in self.folders.items()
        }
        steps = 255 if arrays["image"].dtype == torch.uint8 else 1
        return {
            "image": arrays["image"].permute(2, 0, 1).float() / steps,
            "segmentation": arrays["segmentation"].long(),
            "depth": arrays["depth"].permute(2, 0, 1).float(),
        }


def flip(sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The sample mirrored left to right."""
    flipped = {kind: values.flip(-1) for kind, values in sample.items()}
    if "normals" in flipped:
        flipped["normals"] = flipped["normals"] * torch.tensor([-1.0, 1.0, 1.0])[:, None, None]
    return flipped


def zoom(sample: Mapping[str, Tensor], scale: float, top: int, left: int) -> dict[str, Tensor]:
    """The window of the sample with its corner at (top, left), enlarged to the full picture."""
    rows, columns, enlarged = _window(sample["image"], scale, top, left)
    zoomed = {kind: values[..., rows[:, None], columns] for kind, values in sample.items()}
    zoomed["image"] = enlarged
    if "depth" in zoomed:
        zoomed["depth"] = zoomed["depth"] * scale
    return zoomed


def _window(image: Tensor, scale: float, top: int, left: int) -> tuple[Tensor, Tensor, Tensor]:
    """The old row of each new row, the old column of each new column, and the enlarged colours."""
    height, width = image.shape[-2:]
    window = image[:, top : top + round(height / scale), left : left + round(width / scale)]
    rows = top + (torch.arange(height) * 2 + 1) * window.shape[1] // (2 * height)
    columns = left + (torch.arange(width) * 2 + 1) * window.shape[2] // (2 * width)
    enlarged = interpolate(window[None], size=(height, width), mode="bilinear", antialias=True)[0]
    return rows, columns, enlarged.clamp(0, 1)


# ------------------------------------------------------------------------------------------------------- the judges


@exercise(
    "01.answered",
    "where there is an answer",
    minutes=5,
    trains="the shapes of a sample, a mask for each target, any() over an axis",
    own=lambda: answered,
)
def judge_answered(attempt: Any) -> None:
    expect_callable(attempt, ["sample"])
    for size in SIZES:
        sample = _random_sample(size)
        masks = call(attempt, sample)
        _expect_masks(masks, sample)
        _expect_segmentation_mask(masks["segmentation"], sample)
        _expect_depth_mask(masks["depth"], sample)
        _expect_normals_mask(masks["normals"], sample)
    one_row = {kind: values[..., :1, :] for kind, values in sample.items()}
    _expect_masks(call(attempt, one_row), one_row)
    _expect_works_without(attempt, sample, "normals")


def _expect_masks(masks: Any, sample: Mapping[str, Tensor]) -> None:
    expect(masks is not None, "the result is None. Is a `return` missing?")
    expect(isinstance(masks, Mapping), f"the result is {described(masks)}; expected a dict, one mask per target.")
    expect("image" not in masks, 'the result has a mask for "image"; the picture is the question, not an answer.')
    for kind in ("segmentation", "depth", "normals"):
        expect(kind in masks, f"the result has no mask for {kind}; its keys are {sorted(map(str, masks))}.")
        mask, name = masks[kind], f"the mask of {kind}"
        expect(isinstance(mask, Tensor), f"{name} is {described(mask)}; expected a tensor.")
        size = tuple(sample["segmentation"].shape)
        expect(
            size[0] > 1 or tuple(mask.shape) != size[1:],
            f"{name} is right for large pictures, but of a picture with one row only its columns are left. `squeeze` "
            "without an axis removes every axis of length 1.",
        )
        expect(
            tuple(mask.shape) == size,
            f"{name} has the shape {list(mask.shape)}; a pixel has an answer or it has none, so expected [H, W].",
        )
        expect(mask.dtype == torch.bool, f"{name} has the dtype {mask.dtype}; yes or no is torch.bool.")
        expect(
            not torch.equal(mask, ~answered(sample)[kind]),
            f"{name} is the wrong way round: it is True where the answer is missing.",
        )


def _expect_segmentation_mask(mask: Tensor, sample: Mapping[str, Tensor]) -> None:
    classes = sample["segmentation"]
    expect(not torch.equal(mask, classes > 0), "class 0 is left out of the mask of segmentation; it is a real class.")
    expect(not mask.all(), "every pixel counts in the mask of segmentation, the void ones too.")
    expect(torch.equal(mask, classes != labels.VOID), "the mask of segmentation is not where the class is not void.")


def _expect_depth_mask(mask: Tensor, sample: Mapping[str, Tensor]) -> None:
    depth = sample["depth"][0]
    expect(
        not torch.equal(mask, sample["segmentation"] >= 0),
        "the mask of depth is that of the classes; a pixel may have a class and no depth, such as the sky.",
    )
    expect(not mask.all(), "every pixel counts in the mask of depth. How does the table mark one without an answer?")
    expect(torch.equal(mask, depth != 0), "the mask of depth differs from where the depth is marked as known.")


def _expect_normals_mask(mask: Tensor, sample: Mapping[str, Tensor]) -> None:
    normals = sample["normals"]
    others = (normals.sum(dim=0) != 0, normals.sum(dim=0) > 0, normals.mean(dim=0).abs() > 1e-6)
    expect(
        not any(torch.equal(mask, other) for other in others),
        "normals whose x, y and z add up to nothing or less are thrown away. Such a vector is not the zero vector.",
    )
    expect(
        not torch.equal(mask, (normals != 0).all(dim=0)),
        "normals such as that of the road, with a 0 in x or z, are thrown away; only the zero vector is no answer.",
    )
    exactly_one = (torch.linalg.vector_norm(normals, dim=0) == 1, (normals**2).sum(dim=0) == 1)
    expect(
        not any(torch.equal(mask, other) for other in exactly_one),
        "normals are thrown away whose length is 1 but for the last digit. A computed length is rarely exactly 1.",
    )
    expect(not mask.all(), "every pixel counts in the mask of normals, those with the zero vector too.")
    expect(
        torch.equal(mask, (normals != 0).any(dim=0)),
        "the mask of normals is not where the vector differs from the zero vector. Look at all three numbers of it.",
    )


@exercise(
    "01.id_table",
    "from ids to classes",
    minutes=8,
    trains="a look-up table, what void is, index -1",
    own=lambda: labels.id_table,
)
def judge_id_table(attempt: Any) -> None:
    expect_callable(attempt, ["classes"])
    for classes in (19, 7, 2):
        table, name = call(attempt, classes), f"the table for {classes} classes"
        _expect_class_numbers(table, name)
        count = len(labels.CITYSCAPES_IDS)
        expect(
            table.shape == (count,),
            f"{name} has the shape {list(table.shape)}; expected one place for each id, the licence plate's too.",
        )
        right = labels.id_table(classes)
        _expect_void_ids(table, right, classes)
        _expect_known_ids(table, right, classes)
        for row, found, wanted in zip(labels.CITYSCAPES_IDS, table, right, strict=True):
            expect(found == wanted, f"among {classes} classes, id {row.id} ({row.name}) has the wrong class.")


def _expect_void_ids(table: np.ndarray, right: np.ndarray, classes: int) -> None:
    ids_of_void = np.array([row.category == "void" for row in labels.CITYSCAPES_IDS])
    expect(
        not (table == 255).any(),
        "void is 255 in this table, the mark of some other programs; the course's samples use another one.",
    )
    if classes == 2:
        expect(
            not (table == labels.VOID).any(),
            "among two classes some ids are still void; the paper leaves none out. Where does it count them?",
        )
    else:
        expect(
            (table[ids_of_void] != 0).any(),
            f"among {classes} classes, void lands in class 0, and that is a class like any other.",
        )
        last = table[-1]
        expect(
            last == labels.VOID or (table[ids_of_void][:-1] != labels.VOID).any(),
            "the licence plate is no void. Its id is -1: which place does that look up?",
        )
    parking = labels.CITYSCAPES_IDS[9]
    expect(
        classes != 7 or table[parking.id] != labels.VOID,
        f"among seven classes id {parking.id} ({parking.name}) is void, but it has a category; only what has no "
        "category is void here.",
    )


def _expect_known_ids(table: np.ndarray, right: np.ndarray, classes: int) -> None:
    known = right != labels.VOID
    expect(
        not np.array_equal(table[known], right[known] + 1),
        f"among {classes} classes every class number is one too large. From which number are classes counted?",
    )
    expect(
        classes == 2 or not np.array_equal(table[known], np.arange(len(right))[known]),
        f"the table for {classes} classes holds the ids themselves, so it changes nothing.",
    )
    if classes == 7:
        names = sorted(labels.label_set(7).names)
        alphabetical = [names.index(row.category) for row in labels.CITYSCAPES_IDS if row.category in names]
        in_both = [names.index(row.category) + 1 for row in labels.CITYSCAPES_IDS if row.category in names]
        expect(
            table[known].tolist() not in (alphabetical, in_both),
            "the seven classes are numbered in alphabetical order; label_set(7) numbers them in another.",
        )
    if classes == 2:
        expect(not np.array_equal(table, 1 - right), "foreground and background have each other's number.")
        expect(
            table[[24, 25]].all(), "among two classes not all people are foreground; look at the whole category."
        )
        expect(
            table[[29, 30]].all(),
            "among two classes a caravan or a trailer is background, though its category is vehicle.",
        )


@exercise(
    "01.coarsen",
    "fewer classes out of 19",
    minutes=6,
    trains="building one table from another, the place that void looks up",
    own=lambda: labels.coarsen,
)
def judge_coarsen(attempt: Any) -> None:
    expect_callable(attempt, ["train_ids", "classes"])
    rng = np.random.default_rng(0)
    for size in ((5, 7), (4, 3, 6)):
        train_ids = rng.integers(-1, 19, size)
        train_ids.flat[:20] = range(-1, 19)
        for classes in (7, 2, 19):
            coarse = _call_with_arrays(attempt, train_ids, classes)
            _expect_coarsened(coarse, train_ids, classes)
            expect(
                not np.shares_memory(coarse, train_ids),
                f"with {classes} classes the result is the given array itself; who changes the one changes the other.",
            )
    every_class = _call_with_arrays(attempt, np.arange(19), 7)
    expect(
        isinstance(every_class, np.ndarray) and np.array_equal(every_class, labels.coarsen(np.arange(19), 7)),
        "it is right for pictures, but not for a list of class numbers without void; any shape should do.",
    )


def _expect_coarsened(coarse: Any, train_ids: np.ndarray, classes: int) -> None:
    _expect_class_numbers(coarse, "the result")
    expect(
        coarse.shape == train_ids.shape,
        f"labels of the shape {list(train_ids.shape)} become {list(coarse.shape)}; the shape should stay.",
    )
    right, void = labels.coarsen(train_ids, classes), train_ids == labels.VOID
    expect(not (coarse == 255).any(), "void comes out as 255, the mark of other programs and not of this course.")
    if classes == 2:
        expect(
            not (coarse[void] == labels.VOID).all(),
            "among two classes void stays void; the paper counts it as one of the two. Look at the id table.",
        )
    elif not (coarse[void] == labels.VOID).all():
        of_void = coarse[void][0]
        found = f"class {of_void}" if of_void >= 0 else f"{of_void}"
        raise NotYet(f"with {classes} classes, void comes out as {found}. Which place of a table does -1 look up?")
    expect(
        not np.array_equal(coarse, labels.id_table(classes)[train_ids]),
        "the table of the ids is used on train ids; 7 is the road as an id and a traffic sign as a train id.",
    )
    expect(
        classes != 19 or np.array_equal(coarse, right),
        "19 classes out of 19 should leave every label as it is.",
    )
    twice = _replaced_one_by_one(train_ids, classes)
    expect(
        np.array_equal(twice, right) or not np.array_equal(coarse[~void], twice[~void]),
        "some pixels are replaced twice: a later step finds the new number of an earlier one and takes it for an old "
        "one.",
    )
    for number, name in enumerate(labels.label_set(19).names):
        pixels = train_ids == number
        expect(np.array_equal(coarse[pixels], right[pixels]), f"with {classes} classes, {name} gets a wrong class.")
    expect(np.array_equal(coarse, right), f"with {classes} classes, void gets a wrong class.")


def _replaced_one_by_one(train_ids: np.ndarray, classes: int) -> np.ndarray:
    """What comes out if a picture is searched for each class in turn, from the last on, and changed at once."""
    picture, new = train_ids.copy(), labels.coarsen(np.arange(19), classes)
    for number in reversed(range(19)):
        picture[picture == number] = new[number]
    return picture


@exercise(
    "01.class_share",
    "how often each class is seen",
    minutes=5,
    trains="counting with bincount, leaving void out of a mean, a batch without any label",
    own=lambda: class_share,
)
def judge_class_share(attempt: Any) -> None:
    expect_callable(attempt, ["segmentation", "classes"])
    for size, classes in (((5, 7), 7), ((3, 6, 4), 19), ((2, 5, 3), 2)):
        segmentation = torch.randint(-1, max(2, classes - 1), size)  # of many, the last class does not occur
        segmentation[..., 0, 0], segmentation[..., 0, 1:3], segmentation[0][..., 1:3] = 0, labels.VOID, labels.VOID
        share = call(attempt, segmentation, classes)
        expect_tensor(share, "the result", shape=[classes], meaning=f"{[classes]}, one share for each class")
        expect(share.is_floating_point(), f"the result has the dtype {share.dtype}; a share is no whole number.")
        _expect_shares(share.float(), segmentation, classes)
    nothing = call(attempt, torch.full((2, 3), labels.VOID), 7)
    expect_no_nan(nothing, "the result for a frame in which all is void")
    expect_close(nothing.float(), torch.zeros(7), "a frame in which all is void does not have share 0 in each class.")


def _expect_shares(share: Tensor, segmentation: Tensor, classes: int) -> None:
    right, labelled = class_share(segmentation, classes), segmentation >= 0
    counts = torch.bincount(segmentation[labelled], minlength=classes)
    expect(not is_close(share, counts.float()), "these are numbers of pixels; a share is a part of the whole.")
    expect(not is_close(share, 100 * right), "these are percents; the shares should add up to 1.")
    expect(
        not is_close(share, counts / segmentation.numel()),
        "the shares add up to less than 1: the void pixels are among those that are divided by.",
    )
    as_class = {number: counts.clone() for number in (0, classes - 1)}
    for number, with_void in as_class.items():
        with_void[number] += (~labelled).sum()
        expect(
            not is_close(share, with_void / segmentation.numel()),
            f"void pixels are counted as class {number}; they belong to no class.",
        )
    if segmentation.dim() == 3:
        each = torch.stack([class_share(frame, classes) for frame in segmentation])
        expect(
            not is_close(share, each.mean(dim=0)),
            "it is the mean of the frames' shares: a frame of which half is void weighs as much as a full one. Count "
            "the pixels of the whole batch.",
        )
    expect_close(share.sum(), 1.0, "the shares do not add up to 1.")
    expect_close(share, right, "the shares add up to 1, but are not those of the classes. Is each one in its place?")


@exercise(
    "01.q_from_file",
    "inverse depth from a file",
    minutes=5,
    trains="an equation with a corner, numbers that cannot be negative, what a hole becomes",
    own=lambda: q_from_file,
)
def judge_q_from_file(attempt: Any) -> None:
    expect_callable(attempt, ["p"])
    rng = np.random.default_rng(0)
    for size in SIZES:
        p = rng.integers(2, 65536, size).astype(np.uint16)
        p.flat[[0, 4]], p.flat[3] = 0, 1
        p.flat[-1] = 65535
        q = _call_with_arrays(attempt, p)
        _expect_array(q, "the result")
        expect(q.shape == p.shape, f"a picture of shape {list(p.shape)} becomes {list(q.shape)}.")
        expect(q.dtype.kind != "i" and q.dtype.kind != "u", f"the result is {q.dtype}: the parts of 1 are cut off.")
        _expect_q(q, p)
        expect(q.dtype == np.float32, f"the result is {q.dtype}; a sample's depth is float32.")


def _expect_q(q: np.ndarray, p: np.ndarray) -> None:
    measured = p > 0
    holes, right = q[~measured], q_from_file(p)
    expect(not np.isnan(q).any(), "the result holds NaN. In this course a hole is marked by another number.")
    expect(np.isfinite(q).all(), "the result holds an infinite number. What should become of a hole?")
    in_pixels = (p[measured] - 1.0) / 256
    expect(
        not np.allclose(q[measured], in_pixels, atol=1e-3),
        "this is the disparity d in pixels; q is the same in another unit, which goes from 0 to 1.",
    )
    expect(not np.allclose(q[measured], in_pixels * 256), "this is p without its 1; q goes from 0 to 1.")
    expect(
        (holes < 0.5).all(),
        "holes come out near 1, nearer than everything else. A 16-bit number without a sign cannot hold 0 - 1.",
    )
    expect((holes >= 0).all(), "holes come out a little below 0; they should be exactly what marks a hole.")
    expect(
        not np.allclose(q[measured], p[measured] / 65535, atol=1e-6),
        "every measured value is a little too large, by one step of the file.",
    )
    expect(
        np.allclose(q[measured], right[measured], atol=1e-6),
        "measured pixels have values unlike the equation's. Check what is subtracted and what it is divided by.",
    )
    expect((holes == 0).all(), "holes do not keep the mark that the equation gives them.")


@exercise(
    "01.z_buffer",
    "the nearest wins",
    minutes=6,
    trains="comparing in inverse depth, two buffers that change together",
    own=lambda: z_buffer,
)
def judge_z_buffer(attempt: Any) -> None:
    expect_callable(attempt, ["surface", "inverse_depth", "number", "covered", "candidate"])
    rng = np.random.default_rng(0)
    for size in SIZES:
        surface = rng.integers(0, 5, size).astype(np.int32)
        depth = (0.2 + rng.random(size).astype(np.float32)) * (surface > 0)
        candidate = (rng.random(size) * 1.4).astype(np.float32)  # also values off the polygon, to be ignored
        covered = rng.random(size) < 0.6
        result = call(attempt, surface.copy(), depth.copy(), 9, covered.copy(), candidate.copy())
        _expect_buffers(result, surface, depth)
        _expect_nearest(*result, surface, depth, covered, candidate)


def _expect_buffers(result: Any, surface: np.ndarray, depth: np.ndarray) -> None:
    expect(result is not None, "the result is None. Is a `return` missing?")
    expect(
        isinstance(result, tuple | list) and len(result) == 2,
        f"the result is {described(result)}; expected two arrays, surface and inverse depth.",
    )
    for value, name, before in zip(result, ("surface", "inverse depth"), (surface, depth), strict=True):
        _expect_array(value, name)
        expect(value.shape == before.shape, f"{name} has the shape {list(value.shape)}, not that of the picture.")
    expect(
        not (result[0].dtype.kind == "f" and result[1].dtype.kind in "iu"),
        "surface and inverse depth are returned in the other order.",
    )
    for value, name, before in zip(result, ("surface", "inverse depth"), (surface, depth), strict=True):
        expect(
            value.dtype == before.dtype,
            f"{name} is {value.dtype} afterwards; it was {before.dtype} and should stay so.",
        )


def _expect_nearest(
    found: np.ndarray, found_depth: np.ndarray, surface: np.ndarray, depth: np.ndarray, covered: np.ndarray,
    candidate: np.ndarray,
) -> None:
    right, right_depth = z_buffer(surface, depth, 9, covered, candidate)

    def painted(where: np.ndarray) -> bool:
        return np.array_equal(found, np.where(where, 9, surface))

    changed = not np.array_equal(found, surface)
    depth_changed = not np.array_equal(found_depth, depth)
    expect(changed or depth_changed, "nothing is drawn at all: both buffers are as they were.")
    expect(
        not painted(candidate > depth),
        "pixels that the polygon does not cover are painted too; its plane goes on, the polygon does not.",
    )
    expect(not painted(covered), "the new polygon hides everything, also what stands nearer than it.")
    expect(
        not painted(covered & (candidate < depth)),
        "the farther surface wins. Is a thing nearer if its inverse depth is larger, or smaller?",
    )
    expect(
        not painted(covered & (surface == 0)),
        "only the sky is painted: what was drawn first wins, also where the new polygon is nearer.",
    )
    expect(changed, "the inverse depth changes, but the numbers of the polygons do not.")
    expect(
        np.array_equal(found, right),
        "the surface changes at the wrong pixels, or to a number that is not the new polygon's.",
    )
    expect(depth_changed, "the inverse depth is not updated, so a third polygon would be compared with a wrong one.")
    expect(
        not np.array_equal(found_depth, np.maximum(depth, candidate)),
        "the inverse depth also changes where the polygon does not cover the picture.",
    )
    expect(
        np.array_equal(found_depth, right_depth),
        "the surface is right, but the inverse depth is not that of what is seen at each pixel.",
    )


@exercise(
    "01.npy_frames",
    "a data set of files",
    minutes=10,
    trains="the two methods of a data set, the order of axes, the types of a sample",
    own=lambda: NpyFrames,
)
def judge_npy_frames(attempt: Any) -> None:
    expect(isinstance(attempt, type), f"expected a class, found {described(attempt)}.")
    for method in ("__init__", "__len__", "__getitem__"):
        expect(hasattr(attempt, method), f"the class has no method {method}; torch's data loader calls it.")
    with tempfile.TemporaryDirectory() as root:
        for numbers, size, as_bytes in (((10, 2, 3), (5, 7), False), ((0, 1), (8, 3), True)):
            split = "val" if as_bytes else "train"
            written = _write_frames(Path(root) / split, numbers, size, as_bytes)
            frames = attempt(root, split)
            _expect_length(frames, len(numbers))
            for index, number in enumerate(sorted(numbers)):
                others = [written[other]["segmentation"] for other in numbers if other != number]
                _expect_frame(_frame(frames, index, numbers), written[number], others, as_bytes)


def _expect_length(frames: Any, count: int) -> None:
    length = type(frames).__len__(frames)  # len() itself raises where this is no number, and then names no line
    expect(length is not None, "its length is None. Is a `return` missing?")
    expect(isinstance(length, int), f"`__len__` returns {described(length)}; expected a number, that of the frames.")
    expect(length == count, f"its length is {length} for a folder of {count} frames.")


def _frame(frames: Any, index: int, numbers: Sequence[int]) -> Any:
    try:
        return frames[index]
    except FileNotFoundError as error:
        missing = Path(error.filename or "").name
        if index in numbers or missing != f"{index}.npy":
            raise
        raise NotYet(
            f"for the index {index} it looks for a file {missing}, but the folder holds frames "
            f"{', '.join(map(str, sorted(numbers)))}. An index counts the frames; a file has the frame's number."
        ) from None


def _write_frames(folder: Path, numbers: Sequence[int], size: tuple[int, int], as_bytes: bool) -> dict:
    """Write random frames as downloads have them, in other types than a sample's; return the samples expected."""
    samples = {}
    for number in numbers:
        colours = torch.randint(1, 255, (*size, 3), dtype=torch.uint8) if as_bytes else torch.rand(*size, 3)
        classes, depth = torch.randint(-1, 7, size), torch.rand(*size, 1)
        kept = {"image": colours, "label": classes.short(), "depth": depth.double()}
        for kind, values in kept.items():
            (folder / kind).mkdir(parents=True, exist_ok=True)
            np.save(folder / kind / f"{number}.npy", values.numpy())
        samples[number] = {
            "image": colours.permute(2, 0, 1) / (255 if as_bytes else 1),
            "segmentation": classes,
            "depth": depth.permute(2, 0, 1),
        }
    return samples


def _expect_frame(sample: Any, right: Mapping[str, Tensor], others: Sequence[Tensor], as_bytes: bool) -> None:
    expect(sample is not None, "a frame is None. Is a `return` missing?")
    expect(isinstance(sample, Mapping), f"a frame is {described(sample)}; expected a dict of tensors, a sample.")
    expect(
        set(sample) == set(right),
        f"a frame has the keys {', '.join(map(str, sample))}; expected {', '.join(right)}. Folders may be called "
        "otherwise.",
    )
    for kind, values in sample.items():
        expect(isinstance(values, Tensor), f"{kind} is {described(values)}; expected a torch.Tensor.")
    _expect_shapes(sample, right)
    expect(
        sample["segmentation"].dtype == torch.int64,
        f"segmentation has the dtype {sample['segmentation'].dtype}; see the first table for a sample's types.",
    )
    expect(
        not any(torch.equal(sample["segmentation"], other) for other in others),
        "a frame holds the classes of another one: the frames do not come in the order of their numbers.",
    )
    expect(torch.equal(sample["segmentation"], right["segmentation"]), "the classes are not those of the file.")
    for kind in ("image", "depth"):
        found = sample[kind]
        expect(found.is_floating_point(), f"{kind} has the dtype {found.dtype}; see the first table for the types.")
    _expect_colours(sample["image"], right["image"], as_bytes)
    expect_close(sample["depth"], right["depth"], "the depth is not that of the file.")
    for kind in ("image", "depth"):
        expect_tensor(sample[kind], kind, dtype=torch.float32)


def _expect_shapes(sample: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> None:
    height, width = right["segmentation"].shape
    image, depth = tuple(sample["image"].shape), tuple(sample["depth"].shape)
    expect(image != (height, width, 3), "the image has its colours last, as in the file; torch wants them first.")
    expect(
        image != (3, width, height) or height == width,
        "height and width of the image have changed places, so the picture lies on its side.",
    )
    expect(depth != (height, width), "the depth has lost its channel: a sample's depth has three axes.")
    expect(depth != (height, width, 1), "the depth has its channel last, as in the file; torch wants it first.")
    for kind, values in right.items():
        expect_tensor(sample[kind], f"{kind} of a frame of {height}×{width} pixels", shape=values.shape)


def _expect_colours(image: Tensor, right: Tensor, as_bytes: bool) -> None:
    expect(
        image.max() <= 1 or not as_bytes,
        "colours that are stored as bytes, 0 to 255, come out as they are; a sample's go from 0 to 1.",
    )
    expect(
        as_bytes or not is_close(image.float() * 255, right, 1e-4),
        "colours that are stored as 0 to 1 come out almost black. Only bytes have to be divided.",
    )
    expect(
        not is_close(image.float() * 256, right * 255, 1e-4) or not as_bytes,
        "the brightest byte does not become 1. How many steps are there above 0?",
    )
    height, width = image.shape[-2:]
    turned = right.permute(1, 2, 0).reshape(3, height, width)
    expect(
        not is_close(image.float(), turned),
        "the image has the right shape and its numbers are shuffled: an axis is moved by permute, not by reshape.",
    )
    expect(not is_close(image.float(), right.flip(0)), "red and blue have changed places.")
    expect_close(image.float(), right, "the colours are not those of the file.")


@exercise(
    "01.flip",
    "a sample in the mirror",
    minutes=5,
    trains="a transform that moves all targets together, values that depend on the view",
    own=lambda: flip,
)
def judge_flip(attempt: Any) -> None:
    expect_callable(attempt, ["sample"])
    for size in SIZES:
        sample = _random_sample(size)
        flipped = call(attempt, sample)
        _expect_same_kinds(flipped, sample)
        for kind in ("image", "segmentation", "depth"):
            _expect_mirrored(flipped[kind], sample[kind], kind)
        _expect_mirrored_normals(flipped["normals"], sample["normals"])
    _expect_works_without(attempt, sample, "normals")


def _expect_mirrored(found: Tensor, before: Tensor, kind: str) -> None:
    expect(not torch.equal(found, before), f"{kind} is not mirrored; all kinds have to move together.")
    expect(not torch.equal(found, before.flip(-2)), f"{kind} is upside down. Which axis runs from left to right?")
    expect(
        before.dim() < 3 or before.shape[0] == 1 or not torch.equal(found, before.flip(0)),
        f"{kind} is flipped along its channels, not along its columns.",
    )
    expect(not torch.equal(found, before.flip(-1, -2)), f"{kind} is mirrored in both directions.")
    expect(torch.equal(found, before.flip(-1)), f"{kind} has other values than before; they should only move.")


def _expect_mirrored_normals(found: Tensor, before: Tensor) -> None:
    moved = before.flip(-1)
    expect(
        not is_close(found, moved),
        "the normals are moved, but point where they did. A mirror turns some of them; which?",
    )
    signs = torch.tensor([[-1, 1, 1], [1, -1, 1], [1, 1, -1], [-1, -1, -1]])[:, :, None, None]
    expect(not is_close(found, before * signs[0]), "the normals change their sign, but stay at their old places.")
    expect(not is_close(found, moved * signs[1]), "y of the normals is negated: a road would look down in the mirror.")
    expect(not is_close(found, moved * signs[2]), "z of the normals is negated: what looks at us would turn its back.")
    expect(not is_close(found, moved * signs[3]), "the normals are negated as a whole; a road would look down.")
    as_colour = torch.cat([1 - moved[:1], moved[1:]])
    expect(
        not is_close(found, as_colour),
        "x of the normals becomes 1 - x. That would turn round a number from 0 to 1; x goes from −1 to 1.",
    )
    expect_close(found, moved * signs[0], "the normals are neither those of a mirror nor those of before.")


@exercise(
    "01.zoom",
    "a part, enlarged",
    minutes=8,
    trains="which kinds may be averaged, what a zoom does to inverse depth",
    own=lambda: zoom,
)
def judge_zoom(attempt: Any) -> None:
    expect_callable(attempt, ["sample", "scale", "top", "left"])
    for size, scale, top, left in (((8, 12), 2.0, 1, 3), ((9, 15), 1.5, 2, 4), ((5, 7), 1.0, 0, 0)):
        sample = _random_sample(size)
        sample["segmentation"] = torch.randint(0, 2, size) * 6  # a mean of these classes is one that does not occur
        zoomed = call(attempt, sample, scale, top, left)
        _expect_same_kinds(zoomed, sample)
        if scale == 1:
            expect(
                all(is_close(zoomed[kind], sample[kind]) for kind in sample), "a zoom by 1 should change nothing."
            )
            continue
        _expect_zoomed(zoomed, sample, scale, top, left)
    _expect_works_without(attempt, sample, "normals", 1.0, 0, 0)


def _expect_zoomed(zoomed: Mapping[str, Tensor], sample: Mapping[str, Tensor], scale: float, top: int, left: int):
    rows, columns, enlarged = _window(sample["image"], scale, top, left)
    right = zoom(sample, scale, top, left)
    for kind in ("segmentation", "normals"):
        expect(not torch.equal(zoomed[kind], sample[kind]), f"{kind} is not zoomed; all kinds have to move together.")
        window = sample[kind][..., rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        if kind == "segmentation":
            expect(
                torch.isin(zoomed[kind], window).all(),
                "there are classes in the result that are not in the window. Is the mean of two classes a class?",
            )
    lengths = zoomed["normals"].norm(dim=0)
    expect(
        (((lengths - 1).abs() < 1e-3) | (lengths < 1e-3)).all(),
        "some normals are no longer of length 1. Are they averaged, or multiplied?",
    )
    for kind in ("segmentation", "normals"):
        expect(
            torch.equal(zoomed[kind], right[kind]),
            f"{kind} does not come from the old pixels at `rows` and `columns`.",
        )
    _expect_zoomed_depth(zoomed["depth"], sample["depth"], right["depth"], scale, rows, columns)
    expect(
        not is_close(zoomed["image"], sample["image"][..., rows[:, None], columns]),
        "the colours are taken from the nearest pixel; of all kinds, they alone may be a mean.",
    )
    expect(not is_close(zoomed["image"], sample["image"]), "the image is not zoomed.")
    expect_close(zoomed["image"], enlarged, "the image is not the enlarged window.")


def _expect_zoomed_depth(
    found: Tensor, before: Tensor, right: Tensor, scale: float, rows: Tensor, columns: Tensor
) -> None:
    moved = before[..., rows[:, None], columns]
    expect(not is_close(found, before), "the depth is not zoomed; all kinds have to move together.")
    expect(not is_close(found, before * scale), "the depth changes its values, but not its places.")
    expect(
        not is_close(found, moved),
        "the inverse depth keeps its values. Twice as large looks like half as far away; what is q then?",
    )
    expect(
        not is_close(found, moved / scale),
        "everything has moved away from the camera. Half the metres: is that half the inverse depth?",
    )
    window = before[..., rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    averaged = [
        interpolate(window[None], size=tuple(before.shape[-2:]), mode="bilinear", antialias=smooth)[0]
        for smooth in (True, False)
    ]
    expect(
        not any(is_close(found, factor * mean) for mean in averaged for factor in (1, scale, 1 / scale)),
        "the depth is averaged, so a hole's 0 mixes with its neighbours to depths that do not exist.",
    )
    expect_close(found, right, "the depth is neither that of the old pixels nor changed as a zoom changes it.")


# ------------------------------------------------------------------------------------------------------ what they share


def _random_sample(size: tuple[int, int]) -> dict[str, Tensor]:
    """Targets with and without answers, at places of their own, and with normals that add up to 0."""
    normals = torch.nn.functional.normalize(torch.randn(3, *size), dim=0)
    normals[:, 0, 0], normals[:, 0, 1] = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.5**0.5, -(0.5**0.5), 0.0])
    normals[:, 1, :2] = 0
    classes, depth = torch.randint(-1, 7, size), torch.rand(1, *size) / 3 + 0.1
    classes[0, :3], depth[0, -1] = torch.tensor([0, labels.VOID, 5]), 0
    depth[0, 2, 1:3] = 0
    return {"image": torch.rand(3, *size), "segmentation": classes, "depth": depth, "normals": normals}


def _expect_works_without(attempt: Callable, sample: Mapping[str, Tensor], kind: str, *arguments: Any) -> None:
    """The student's function also takes a sample that lacks one of the targets."""
    smaller = {name: values for name, values in sample.items() if name != kind}
    hint = f"it is right, but not for a sample without {kind}, such as those of Cityscapes."
    try:
        result = call(attempt, smaller, *arguments)
    except KeyError:
        raise NotYet(hint) from None
    expect(isinstance(result, Mapping) and kind not in result, hint)


def _expect_same_kinds(found: Any, sample: Mapping[str, Tensor]) -> None:
    """A transform's result is a sample with the same keys, types and shapes."""
    expect(found is not None, "the result is None. Is a `return` missing?")
    expect(isinstance(found, Mapping), f"the result is {described(found)}; expected a sample, a dict of tensors.")
    missing = [kind for kind in sample if kind not in found]
    expect(not missing, f"the result has no {', '.join(missing)}; every kind of the sample should be in it.")
    for kind, before in sample.items():
        expect_tensor(found[kind], kind, like=before, shape=before.shape)


def _call_with_arrays(function: Callable, *arguments: Any) -> Any:
    """`call`, and a look at whether it changed an array that it was given."""
    before = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]
    result = call(function, *arguments)
    for value, copy in zip(arguments, before, strict=True):
        expect(
            not isinstance(value, np.ndarray) or np.array_equal(value, copy),
            "an array that your code was given is changed afterwards. Make a new one.",
        )
    return result


def _expect_array(value: Any, name: str) -> None:
    expect(value is not None, f"{name} is None. Is a `return` missing?")
    expect(isinstance(value, np.ndarray), f"{name} is {described(value)}; expected a NumPy array.")


def _expect_class_numbers(value: Any, name: str) -> None:
    _expect_array(value, name)
    expect(
        value.dtype.kind in "iu",
        f"{name} holds {value.dtype}; a class is a name and not a quantity, so it is a whole number.",
    )
    expect(value.dtype == np.int64, f"{name} holds {value.dtype}; torch's losses take classes as int64.")
