"""Attempts at the exercises of chapter 01."""

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from course_utils import labels
from tests.exercises.attempts import right, wrong

# --------------------------------------------------------------------------------------------------------- answered


@wrong("01.answered", "class 0 taken for void", "class 0")
def _(sample):
    return {
        "segmentation": sample["segmentation"] > 0,
        "depth": sample["depth"][0] > 0,
        "normals": sample["normals"].norm(dim=0) > 0,
    }


@wrong("01.answered", "channels left in", "[H, W]")
def _(sample):
    return {
        "segmentation": sample["segmentation"] != -1,
        "depth": sample["depth"] != 0,
        "normals": (sample["normals"] != 0).any(dim=0),
    }


@wrong("01.answered", "sum of the normal", "add up to nothing")
def _(sample):
    return {
        "segmentation": sample["segmentation"] != -1,
        "depth": sample["depth"][0] != 0,
        "normals": sample["normals"].sum(dim=0) != 0,
    }


@wrong("01.answered", "all three components", "such as that of the road")
def _(sample):
    return {
        "segmentation": sample["segmentation"] != -1,
        "depth": sample["depth"][0] != 0,
        "normals": (sample["normals"] != 0).all(dim=0),
    }


@wrong("01.answered", "only z", "all three numbers")
def _(sample):
    return {
        "segmentation": sample["segmentation"] != -1,
        "depth": sample["depth"][0] != 0,
        "normals": sample["normals"][2] > 0,
    }


@wrong("01.answered", "where it is missing", "wrong way round")
def _(sample):
    return {
        "segmentation": sample["segmentation"] == -1,
        "depth": sample["depth"][0] == 0,
        "normals": (sample["normals"] == 0).all(dim=0),
    }


@wrong("01.answered", "one mask for all", "may have a class and no depth")
def _(sample):
    mask = sample["segmentation"] != -1
    return {"segmentation": mask, "depth": mask, "normals": mask}


@wrong("01.answered", "floats", "torch.bool")
def _(sample):
    return {
        "segmentation": (sample["segmentation"] != -1).float(),
        "depth": (sample["depth"][0] != 0).float(),
        "normals": (sample["normals"] != 0).any(dim=0).float(),
    }


@wrong("01.answered", "length exactly 1", "rarely exactly 1")
def _(sample):
    masks = {"segmentation": sample["segmentation"] >= 0, "depth": sample["depth"][0] > 0}
    return masks | {"normals": sample["normals"].norm(dim=0) == 1}


@wrong("01.answered", "squeeze without an axis", "one row")
def _(sample):
    masks = {"segmentation": sample["segmentation"] >= 0, "depth": sample["depth"].squeeze() > 0}
    return masks | ({"normals": sample["normals"].abs().amax(0) > 0} if "normals" in sample else {})


@wrong("01.answered", "a tuple", "a tuple")
def _(sample):
    return sample["segmentation"] != -1, sample["depth"][0] != 0


@wrong("01.answered", "the image too", "the picture is the question")
def _(sample):
    return {kind: (values != 0) for kind, values in sample.items()}


@wrong("01.answered", "normals are always there", "without normals")
def _(sample):
    return {
        "segmentation": sample["segmentation"] != -1,
        "depth": sample["depth"][0] != 0,
        "normals": (sample["normals"] != 0).any(dim=0),
    }


@right("01.answered", "lengths and squeeze")
def _(sample):
    masks = {"segmentation": sample["segmentation"] >= 0, "depth": (sample["depth"] > 0).squeeze(0)}
    if "normals" in sample:
        masks["normals"] = sample["normals"].norm(dim=0) > 0.5
    return masks


# --------------------------------------------------------------------------------------------------------- id_table


def table_of_19():
    return [row.train_id for row in labels.CITYSCAPES_IDS]


def table_of_7(void=-1, names=None):
    names = names or labels.label_set(7).names
    return [names.index(row.category) if row.category in names else void for row in labels.CITYSCAPES_IDS]


def table_of_2():
    return [int(row.category in ("human", "vehicle")) for row in labels.CITYSCAPES_IDS]


@wrong("01.id_table", "a list", "a list")
def _(classes):
    return {19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]()


@wrong("01.id_table", "floats", "float64")
def _(classes):
    return np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes](), dtype=float)


@wrong("01.id_table", "small whole numbers", "int8")
def _(classes):
    return np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes](), dtype=np.int8)


@wrong("01.id_table", "void is 255", "255")
def _(classes):
    table = np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]())
    return np.where(table == -1, 255, table)


@wrong("01.id_table", "void is class 0", "lands in class 0")
def _(classes):
    return np.maximum({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes](), 0)


@wrong("01.id_table", "plate forgotten", "licence plate")
def _(classes):
    return np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]()[:34])


@wrong("01.id_table", "plate as a vehicle", "id is -1")
def _(classes):
    table = np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]())
    table[-1] = table[26]
    return table


@wrong("01.id_table", "counted from 1", "one too large")
def _(classes):
    table = np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]())
    return np.where(table == -1, -1, table + 1)


@wrong("01.id_table", "the ids themselves", "changes nothing")
def _(classes):
    table = {19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]()
    return np.array([-1 if found == -1 else row.id for found, row in zip(table, labels.CITYSCAPES_IDS, strict=True)])


@wrong("01.id_table", "alphabetical order", "alphabetical")
def _(classes):
    names = sorted(labels.label_set(7).names)
    tables = {19: table_of_19, 7: lambda: table_of_7(names=names), 2: table_of_2}
    return np.array(tables[classes]())


@wrong("01.id_table", "seven out of the 19", "only what has no category")
def _(classes):
    table = np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]())
    return np.where((np.array(table_of_19()) == -1) & (classes == 7), -1, table)


@wrong("01.id_table", "void among two", "leaves none out")
def _(classes):
    table = np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]())
    return np.where((np.array(table_of_7()) == -1) & (classes == 2), -1, table)


@wrong("01.id_table", "foreground is 0", "each other's number")
def _(classes):
    return np.array(table_of_19() if classes == 19 else table_of_7() if classes == 7 else [1 - k for k in table_of_2()])


@wrong("01.id_table", "vehicles only", "people are foreground")
def _(classes):
    if classes == 2:
        return np.array([int(row.category == "vehicle") for row in labels.CITYSCAPES_IDS])
    return np.array(table_of_19() if classes == 19 else table_of_7())


@wrong("01.id_table", "foreground out of the 19", "a trailer is background")
def _(classes):
    if classes == 2:
        return np.array([int(row.train_id >= 11) for row in labels.CITYSCAPES_IDS])
    return np.array(table_of_19() if classes == 19 else table_of_7())


@wrong("01.id_table", "flat is void", "has the wrong class")
def _(classes):
    table = np.array({19: table_of_19, 7: table_of_7, 2: table_of_2}[classes]())
    table[21] = 9 if classes == 19 else table[21]
    return table


@right("01.id_table", "an empty table that is filled by id")
def _(classes):
    table = np.full(35, 0 if classes == 2 else -1)
    numbers = {name: number for number, name in enumerate(labels.label_set(7).names)}
    for number, _, train_id, category in labels.CITYSCAPES_IDS:
        if classes == 19:
            table[number] = train_id
        elif classes == 7:
            table[number] = numbers.get(category, -1)
        elif category in {"human", "vehicle"}:
            table[number] = 1
    return table


# ---------------------------------------------------------------------------------------------------------- coarsen


def table_of_train_ids(classes, places=20, void=-1):
    table = np.full(places, void)
    for row, new in zip(labels.CITYSCAPES_IDS, labels.id_table(classes), strict=True):
        if row.train_id != -1:
            table[row.train_id] = new
    return table


@wrong("01.coarsen", "a table of 19 places", "void comes out as class 6")
def _(train_ids, classes):
    return table_of_train_ids(classes, places=19)[train_ids]


@wrong("01.coarsen", "void stays void among two", "among two classes")
def _(train_ids, classes):
    return table_of_train_ids(classes)[train_ids]


@wrong("01.coarsen", "the table of the ids", "on train ids")
def _(train_ids, classes):
    coarse = labels.id_table(classes)[train_ids]
    return np.where(train_ids == -1, 0 if classes == 2 else -1, coarse)


@wrong("01.coarsen", "one class after the other in one picture, from the last on", "replaced twice")
def _(train_ids, classes):
    coarse, table = train_ids.copy(), table_of_train_ids(classes)
    for number in range(18, -1, -1):
        coarse[coarse == number] = table[number]
    return np.where(train_ids == -1, 0 if classes == 2 else -1, coarse)


@wrong("01.coarsen", "in place", "Make a new one")
def _(train_ids, classes):
    train_ids[:] = labels.coarsen(train_ids, classes)
    return train_ids


@wrong("01.coarsen", "floats", "float64")
def _(train_ids, classes):
    coarse = np.zeros(train_ids.shape)
    for number, new in enumerate(table_of_train_ids(classes)[:19]):
        coarse[train_ids == number] = new
    coarse[train_ids == -1] = 0 if classes == 2 else -1
    return coarse


@wrong("01.coarsen", "19 treated as 7", "leave every label")
def _(train_ids, classes):
    return labels.coarsen(train_ids, 7 if classes == 19 else classes)


@wrong("01.coarsen", "the given array for 19 classes", "the given array itself")
def _(train_ids, classes):
    return train_ids if classes == 19 else labels.coarsen(train_ids, classes)


@wrong("01.coarsen", "flattened", "the shape should stay")
def _(train_ids, classes):
    return labels.coarsen(train_ids, classes).ravel()


@wrong("01.coarsen", "terrain with the ground", "terrain gets a wrong class")
def _(train_ids, classes):
    table = table_of_train_ids(classes, void=0 if classes == 2 else -1)
    if classes == 7:
        table[9] = 0
    return table[train_ids]


@wrong("01.coarsen", "counts the classes of its input", "any shape should do")
def _(train_ids, classes):
    numbers = np.unique(train_ids)  # from -1 to 18, if all occur
    table = table_of_train_ids(classes, void=0 if classes == 2 else -1)[numbers]
    return table[np.minimum(train_ids + 1, len(table) - 1)]


@right("01.coarsen", "one class after the other in one picture, which is right if one begins with the first")
def _(train_ids, classes):
    coarse = train_ids.copy()
    for number, new in enumerate(table_of_train_ids(classes)[:19]):
        coarse[coarse == number] = new
    coarse[train_ids == -1] = 0 if classes == 2 else -1
    return coarse


@right("01.coarsen", "a dictionary, pixel by pixel")
def _(train_ids, classes):
    known = {
        row.train_id: int(new)
        for row, new in zip(labels.CITYSCAPES_IDS, labels.id_table(classes), strict=True)
        if row.train_id >= 0
    }
    known[-1] = 0 if classes == 2 else -1
    return np.array([known[number] for number in train_ids.ravel().tolist()], dtype=np.int64).reshape(train_ids.shape)


@right("01.coarsen", "shifted by one, with void in front")
def _(train_ids, classes):
    void = 0 if classes == 2 else -1
    return np.concatenate([[void], table_of_train_ids(classes)[:19]])[train_ids + 1]


# ------------------------------------------------------------------------------------------------------ class_share


@wrong("01.class_share", "divided by all pixels", "less than 1")
def _(segmentation, classes):
    return torch.bincount(segmentation[segmentation >= 0], minlength=classes) / segmentation.numel()


@wrong("01.class_share", "numbers of pixels", "numbers of pixels")
def _(segmentation, classes):
    return torch.bincount(segmentation[segmentation >= 0], minlength=classes).float()


@wrong("01.class_share", "whole numbers", "no whole number")
def _(segmentation, classes):
    return torch.bincount(segmentation[segmentation >= 0], minlength=classes)


@wrong("01.class_share", "percents", "percents")
def _(segmentation, classes):
    counts = torch.bincount(segmentation[segmentation >= 0], minlength=classes)
    return 100 * counts / counts.sum().clamp(min=1)


@wrong("01.class_share", "void as class 0", "counted as class 0")
def _(segmentation, classes):
    counts = torch.bincount(segmentation.clamp(min=0).flatten(), minlength=classes)
    return counts / counts.sum()


@wrong("01.class_share", "void as the last class", "counted as class 6")
def _(segmentation, classes):
    counts = torch.zeros(classes)
    for number in segmentation.flatten().tolist():
        counts[number] += 1
    return counts / counts.sum()


@wrong("01.class_share", "void has a place", "one share for each class")
def _(segmentation, classes):
    counts = torch.bincount(segmentation.flatten() + 1, minlength=classes + 1)
    return counts / counts.sum()


@wrong("01.class_share", "as many places as occur", "one share for each class")
def _(segmentation, classes):
    counts = torch.bincount(segmentation[segmentation >= 0])
    return counts / counts.sum()


@wrong("01.class_share", "mean of the frames", "half is void")
def _(segmentation, classes):
    frames = segmentation if segmentation.dim() == 3 else segmentation[None]
    counts = torch.stack([torch.bincount(frame[frame >= 0], minlength=classes) for frame in frames])
    return (counts / counts.sum(dim=1, keepdim=True).clamp(min=1)).mean(dim=0)


@wrong("01.class_share", "nothing labelled", "NaN")
def _(segmentation, classes):
    counts = torch.bincount(segmentation[segmentation >= 0], minlength=classes)
    return counts / counts.sum()


@wrong("01.class_share", "sorted by size", "in its place")
def _(segmentation, classes):
    counts = torch.bincount(segmentation[segmentation >= 0], minlength=classes).sort(descending=True).values
    return counts / counts.sum().clamp(min=1)


@wrong("01.class_share", "void overwritten", "changed afterwards")
def _(segmentation, classes):
    segmentation[segmentation == -1] = classes
    counts = torch.bincount(segmentation.flatten(), minlength=classes + 1)[:classes]
    return counts / counts.sum().clamp(min=1)


@right("01.class_share", "a loop of comparisons")
def _(segmentation, classes):
    labelled = max(1, int((segmentation != -1).sum()))
    return torch.tensor([(segmentation == number).sum().item() / labelled for number in range(classes)])


@right("01.class_share", "one-hot in double precision")
def _(segmentation, classes):
    known = torch.nn.functional.one_hot(segmentation[segmentation >= 0], classes).double()
    return known.mean(dim=0) if len(known) else torch.zeros(classes, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------------ q_from_file


@wrong("01.q_from_file", "0 - 1 in 16 bits", "without a sign")
def _(p):
    return ((p - np.uint16(1)) / 65535).astype(np.float32)


@wrong("01.q_from_file", "below zero", "below 0")
def _(p):
    return (p.astype(np.float32) - 1) / np.float32(65535)


@wrong("01.q_from_file", "the 1 forgotten", "a little too large")
def _(p):
    return p.astype(np.float32) / np.float32(65535)


@wrong("01.q_from_file", "pixels", "in pixels")
def _(p):
    return np.where(p > 0, (p.astype(np.float32) - 1) / 256, 0).astype(np.float32)


@wrong("01.q_from_file", "double precision", "float64")
def _(p):
    return np.where(p > 0, (p.astype(float) - 1) / 65535, 0)


@wrong("01.q_from_file", "whole numbers", "cut off")
def _(p):
    return (p.astype(int) - 1) // 65535


@wrong("01.q_from_file", "holes as NaN", "NaN")
def _(p):
    return np.where(p > 0, (p.astype(np.float32) - 1) / 65535, np.nan).astype(np.float32)


@wrong("01.q_from_file", "divided by 65536", "unlike the equation's")
def _(p):
    return np.where(p > 0, (p.astype(np.float32) - 1) / 65536, 0).astype(np.float32)


@wrong("01.q_from_file", "in place", "Make a new one")
def _(p):
    p[p == 0] = 1
    return ((p - np.uint16(1)) / 65535).astype(np.float32)


@wrong("01.q_from_file", "a tensor", "a tensor")
def _(p):
    return torch.from_numpy(np.maximum(p.astype(np.float32) - 1, 0) / 65535)


@right("01.q_from_file", "a mask")
def _(p):
    q = np.zeros(p.shape, np.float32)
    measured = p != 0
    q[measured] = (p[measured].astype(np.int64) - 1) / 65535
    return q


# --------------------------------------------------------------------------------------------------------- z_buffer


@wrong("01.z_buffer", "the last polygon wins", "hides everything")
def _(surface, inverse_depth, number, covered, candidate):
    return np.where(covered, number, surface).astype(np.int32), np.where(covered, candidate, inverse_depth)


@wrong("01.z_buffer", "the smallest number wins", "farther surface wins")
def _(surface, inverse_depth, number, covered, candidate):
    nearer = covered & (candidate < inverse_depth)
    surface[nearer], inverse_depth[nearer] = number, candidate[nearer]
    return surface, inverse_depth


@wrong("01.z_buffer", "the whole plane", "does not cover")
def _(surface, inverse_depth, number, covered, candidate):
    nearer = candidate > inverse_depth
    surface[nearer], inverse_depth[nearer] = number, candidate[nearer]
    return surface, inverse_depth


@wrong("01.z_buffer", "depth forgotten", "not updated")
def _(surface, inverse_depth, number, covered, candidate):
    surface[covered & (candidate > inverse_depth)] = number
    return surface, inverse_depth


@wrong("01.z_buffer", "surface forgotten", "numbers of the polygons do not")
def _(surface, inverse_depth, number, covered, candidate):
    return surface, np.where(covered, np.maximum(inverse_depth, candidate), inverse_depth)


@wrong("01.z_buffer", "depth of the whole plane", "also changes where")
def _(surface, inverse_depth, number, covered, candidate):
    surface[covered & (candidate > inverse_depth)] = number
    return surface, np.maximum(inverse_depth, candidate)


@wrong("01.z_buffer", "the first polygon wins", "only the sky")
def _(surface, inverse_depth, number, covered, candidate):
    free = covered & (surface == 0)
    surface[free], inverse_depth[free] = number, candidate[free]
    return surface, inverse_depth


@wrong("01.z_buffer", "the other order", "other order")
def _(surface, inverse_depth, number, covered, candidate):
    nearer = covered & (candidate > inverse_depth)
    return np.where(nearer, candidate, inverse_depth), np.where(nearer, np.int32(number), surface)


@wrong("01.z_buffer", "nothing returned", "None")
def _(surface, inverse_depth, number, covered, candidate):
    nearer = covered & (candidate > inverse_depth)
    surface[nearer], inverse_depth[nearer] = number, candidate[nearer]


@wrong("01.z_buffer", "another type", "float64")
def _(surface, inverse_depth, number, covered, candidate):
    nearer = covered & (candidate > inverse_depth)
    return np.where(nearer, float(number), surface), np.where(nearer, candidate, inverse_depth)


@right("01.z_buffer", "in place")
def _(surface, inverse_depth, number, covered, candidate):
    nearer = covered & (candidate > inverse_depth)
    surface[nearer] = number
    inverse_depth[nearer] = candidate[nearer]
    return surface, inverse_depth


@right("01.z_buffer", "pixel by pixel")
def _(surface, inverse_depth, number, covered, candidate):
    surface, inverse_depth = surface.copy(), inverse_depth.copy()
    for place in np.ndindex(surface.shape):
        if covered[place] and candidate[place] > inverse_depth[place]:
            surface[place], inverse_depth[place] = number, candidate[place]
    return [surface, inverse_depth]


# ------------------------------------------------------------------------------------------------------- npy_frames


class Frames(Dataset):
    """What the notebook gives: the wrong classes below differ in a method."""

    def __init__(self, root, split):
        self.folder = Path(root) / split
        self.numbers = sorted(int(path.stem) for path in (self.folder / "image").glob("*.npy"))

    def __len__(self):
        return len(self.numbers)

    def load(self, kind, index):
        return torch.from_numpy(np.load(self.folder / kind / f"{self.numbers[index]}.npy"))

    def colours(self, index):
        image = self.load("image", index)
        return image.permute(2, 0, 1).float() / (255 if image.dtype == torch.uint8 else 1)

    def __getitem__(self, index):
        return {
            "image": self.colours(index),
            "segmentation": self.load("label", index).long(),
            "depth": self.load("depth", index).permute(2, 0, 1).float(),
        }


@wrong("01.npy_frames", "colours last", "colours last")
class _(Frames):
    def colours(self, index):
        return self.load("image", index).float()


@wrong("01.npy_frames", "on its side", "on its side")
class _(Frames):
    def colours(self, index):
        return super().colours(index).transpose(1, 2)


@wrong("01.npy_frames", "reshaped", "not by reshape")
class _(Frames):
    def colours(self, index):
        image = self.load("image", index)
        return image.reshape(3, *image.shape[:2]).float() / (255 if image.dtype == torch.uint8 else 1)


@wrong("01.npy_frames", "bytes as they are", "stored as bytes")
class _(Frames):
    def colours(self, index):
        return self.load("image", index).permute(2, 0, 1).float()


@wrong("01.npy_frames", "always divided", "almost black")
class _(Frames):
    def colours(self, index):
        return self.load("image", index).permute(2, 0, 1).float() / 255


@wrong("01.npy_frames", "divided by 256", "brightest byte")
class _(Frames):
    def colours(self, index):
        image = self.load("image", index)
        return image.permute(2, 0, 1).float() / (256 if image.dtype == torch.uint8 else 1)


@wrong("01.npy_frames", "blue first", "red and blue")
class _(Frames):
    def colours(self, index):
        return super().colours(index).flip(0)


@wrong("01.npy_frames", "float classes", "segmentation has the dtype")
class _(Frames):
    def __getitem__(self, index):
        return {**super().__getitem__(index), "segmentation": self.load("label", index).float()}


@wrong("01.npy_frames", "no channel", "lost its channel")
class _(Frames):
    def __getitem__(self, index):
        return {**super().__getitem__(index), "depth": self.load("depth", index)[..., 0].float()}


@wrong("01.npy_frames", "channel of the depth last", "channel last")
class _(Frames):
    def __getitem__(self, index):
        return {**super().__getitem__(index), "depth": self.load("depth", index).float()}


@wrong("01.npy_frames", "double precision", "float64")
class _(Frames):
    def __getitem__(self, index):
        return {**super().__getitem__(index), "depth": self.load("depth", index).permute(2, 0, 1)}


@wrong("01.npy_frames", "names of the folders as keys", "Folders may be called")
class _(Frames):
    def __getitem__(self, index):
        sample = super().__getitem__(index)
        return {"image": sample["image"], "label": sample["segmentation"], "depth": sample["depth"]}


@wrong("01.npy_frames", "length of the last number", "its length")
class _(Frames):
    def __len__(self):
        return max(self.numbers) + 1


@wrong("01.npy_frames", "the numbers themselves as length", "`__len__` returns a list")
class _(Frames):
    def __len__(self):
        return self.numbers


@wrong("01.npy_frames", "the index as a file's name", "An index counts the frames")
class _(Frames):
    def load(self, kind, index):
        return torch.from_numpy(np.load(self.folder / kind / f"{index}.npy"))


@wrong("01.npy_frames", "arrays", "expected a torch.Tensor")
class _(Frames):
    def __getitem__(self, index):
        return {kind: values.numpy() for kind, values in super().__getitem__(index).items()}


@wrong("01.npy_frames", "names sorted as text", "order of their numbers")
class _(Frames):
    def __init__(self, root, split):
        super().__init__(root, split)
        self.numbers = sorted(self.numbers, key=str)


@right("01.npy_frames", "no Dataset, NumPy to the end")
class _:
    def __init__(self, root, split):
        self.paths = sorted(Path(root, split, "image").glob("*.npy"), key=lambda path: int(path.stem))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        path = self.paths[index]
        image = np.load(path)
        if image.dtype == np.uint8:
            image = image / 255
        label = np.load(path.parents[1] / "label" / path.name)
        depth = np.load(path.parents[1] / "depth" / path.name)
        return {
            "depth": torch.tensor(depth[None, ..., 0], dtype=torch.float32),
            "image": torch.tensor(np.moveaxis(image, -1, 0), dtype=torch.float32),
            "segmentation": torch.tensor(label, dtype=torch.int64),
        }


# ------------------------------------------------------------------------------------------------------------- flip


def mirrored(sample, signs=(-1.0, 1.0, 1.0), axis=-1):
    flipped = {kind: values.flip(axis) for kind, values in sample.items()}
    if "normals" in sample:
        flipped["normals"] = flipped["normals"] * torch.tensor(signs)[:, None, None]
    return flipped


@wrong("01.flip", "sign forgotten", "point where they did")
def _(sample):
    return mirrored(sample, signs=(1.0, 1.0, 1.0))


@wrong("01.flip", "y negated", "y of the normals")
def _(sample):
    return mirrored(sample, signs=(1.0, -1.0, 1.0))


@wrong("01.flip", "z negated", "z of the normals")
def _(sample):
    return mirrored(sample, signs=(1.0, 1.0, -1.0))


@wrong("01.flip", "all of it negated", "as a whole")
def _(sample):
    return mirrored(sample, signs=(-1.0, -1.0, -1.0))


@wrong("01.flip", "x turned round as a colour", "1 - x")
def _(sample):
    flipped = {kind: values.flip(-1) for kind, values in sample.items()}
    flipped["normals"][0] = 1 - flipped["normals"][0]
    return flipped


@wrong("01.flip", "upside down", "upside down")
def _(sample):
    return mirrored(sample, axis=-2)


@wrong("01.flip", "first axis", "along its channels")
def _(sample):
    return mirrored(sample, axis=0)


@wrong("01.flip", "image only", "segmentation is not mirrored")
def _(sample):
    return {**sample, "image": sample["image"].flip(-1)}


@wrong("01.flip", "normals stay where they are", "old places")
def _(sample):
    flipped = mirrored(sample)
    return {**flipped, "normals": flipped["normals"].flip(-1)}


@wrong("01.flip", "dictionary of the caller", "changed afterwards")
def _(sample):
    for kind in sample:
        sample[kind] = sample[kind].flip(-1)
    sample["normals"][0] *= -1
    return sample


@wrong("01.flip", "normals are always there", "without normals")
def _(sample):
    flipped = {kind: values.flip(-1) for kind, values in sample.items()}
    flipped["normals"] = flipped["normals"] * torch.tensor([-1.0, 1.0, 1.0])[:, None, None]
    return flipped


@wrong("01.flip", "depth negated too", "depth has other values")
def _(sample):
    return {**mirrored(sample), "depth": -sample["depth"].flip(-1)}


@wrong("01.flip", "tensors instead of a sample", "a list")
def _(sample):
    return [values.flip(-1) for values in sample.values()]


@right("01.flip", "columns counted backwards, x negated in a copy")
def _(sample):
    width = sample["image"].shape[-1]
    flipped = {kind: values[..., torch.arange(width - 1, -1, -1)] for kind, values in sample.items()}
    if "normals" in flipped:
        x, y, z = flipped["normals"]
        flipped["normals"] = torch.stack([-x, y, z])
    return flipped


# ------------------------------------------------------------------------------------------------------------- zoom


def pixels_of(sample, scale, top, left):
    height, width = sample["image"].shape[-2:]
    rows = top + (torch.arange(height) * 2 + 1) * round(height / scale) // (2 * height)
    columns = left + (torch.arange(width) * 2 + 1) * round(width / scale) // (2 * width)
    return rows[:, None], columns


def enlarge(values, scale, top, left, mode="bilinear"):
    height, width = values.shape[-2:]
    window = values[..., top : top + round(height / scale), left : left + round(width / scale)]
    return interpolate(window[None], size=(height, width), mode=mode, antialias=mode == "bilinear")[0]


def enlarged_sample(sample, scale, top, left, factor):
    rows, columns = pixels_of(sample, scale, top, left)
    zoomed = {kind: values[..., rows, columns] for kind, values in sample.items()}
    zoomed["image"] = enlarge(sample["image"], scale, top, left).clamp(0, 1)
    if "depth" in sample:
        zoomed["depth"] = zoomed["depth"] * factor
    return zoomed


@wrong("01.zoom", "divided", "moved away from the camera")
def _(sample, scale, top, left):
    return enlarged_sample(sample, scale, top, left, 1 / scale)


@wrong("01.zoom", "depth as it was", "keeps its values")
def _(sample, scale, top, left):
    return enlarged_sample(sample, scale, top, left, 1)


@wrong("01.zoom", "depth interpolated", "a hole's 0 mixes")
def _(sample, scale, top, left):
    zoomed = enlarged_sample(sample, scale, top, left, scale)
    return {**zoomed, "depth": enlarge(sample["depth"], scale, top, left) * scale}


@wrong("01.zoom", "labels interpolated", "mean of two classes")
def _(sample, scale, top, left):
    mean = enlarge(sample["segmentation"][None].float(), scale, top, left)[0].round().long()
    return {**enlarged_sample(sample, scale, top, left, scale), "segmentation": mean}


@wrong("01.zoom", "labels as floats", "torch.float32")
def _(sample, scale, top, left):
    mean = enlarge(sample["segmentation"][None].float(), scale, top, left)[0]
    return {**enlarged_sample(sample, scale, top, left, scale), "segmentation": mean}


@wrong("01.zoom", "normals interpolated", "of length 1")
def _(sample, scale, top, left):
    zoomed = enlarged_sample(sample, scale, top, left, scale)
    return {**zoomed, "normals": enlarge(sample["normals"], scale, top, left)}


@wrong("01.zoom", "normals multiplied", "of length 1")
def _(sample, scale, top, left):
    zoomed = enlarged_sample(sample, scale, top, left, scale)
    return {**zoomed, "normals": zoomed["normals"] * scale}


@wrong("01.zoom", "image from the nearest pixel", "they alone may be a mean")
def _(sample, scale, top, left):
    rows, columns = pixels_of(sample, scale, top, left)
    return {**enlarged_sample(sample, scale, top, left, scale), "image": sample["image"][..., rows, columns]}


@wrong("01.zoom", "only the image", "segmentation is not zoomed")
def _(sample, scale, top, left):
    return {**sample, "image": enlarge(sample["image"], scale, top, left)}


@wrong("01.zoom", "image forgotten", "the image is not zoomed")
def _(sample, scale, top, left):
    return {**enlarged_sample(sample, scale, top, left, scale), "image": sample["image"]}


@wrong("01.zoom", "targets are not enlarged", "has the shape")
def _(sample, scale, top, left):
    height, width = (round(side / scale) for side in sample["image"].shape[-2:])
    return {kind: values[..., top : top + height, left : left + width] for kind, values in sample.items()}


@wrong("01.zoom", "in place", "changed afterwards")
def _(sample, scale, top, left):
    sample["depth"] *= scale
    return enlarged_sample(sample, scale, top, left, 1)


@wrong("01.zoom", "normals are always there", "without normals")
def _(sample, scale, top, left):
    zoomed = enlarged_sample(sample, scale, top, left, scale)
    rows, columns = pixels_of(sample, scale, top, left)
    return {**zoomed, "normals": sample["normals"][..., rows, columns]}


@right("01.zoom", "torch's own nearest pixel")
def _(sample, scale, top, left):
    zoomed = {"image": enlarge(sample["image"], scale, top, left)}
    for kind in sample.keys() - {"image"}:
        values = sample[kind] if sample[kind].dim() == 3 else sample[kind][None]
        nearest = enlarge(values.double(), scale, top, left, mode="nearest-exact").to(sample[kind].dtype)
        zoomed[kind] = nearest.reshape(sample[kind].shape) * (scale if kind == "depth" else 1)
    return zoomed
