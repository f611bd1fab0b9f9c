# %% [markdown]
# # 01 · The data set: one picture, three targets
#
# {{chapter_badges}}
#
# In this chapter you build the data set of the course: its class numbers, its inverse depth, its normals, a
# street that you draw yourself, and the classes that hand all of it to a network.
#
# **After this chapter you can**
#
# * turn Cityscapes' ids into 19, 7 or 2 classes with one table, and say what void is;
# * explain why street data sets store inverse depth, and convert it to metres and back;
# * draw a street with exact labels, depth and normals from three numbers per polygon;
# * write a `Dataset`, read real frames from disk, and flip and zoom a sample without making it wrong.
#
# **Time:** about 60 minutes of reading, {{exercise_minutes}} minutes of exercises, one minute of computing on a
# laptop or a T4.
#
# **You need from before:** nothing but Python, NumPy and tensors; chapter 00 showed what all this is for.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("The data set: one picture, three targets", minutes_cpu=1, minutes_gpu=1)

# %%
import shutil
import tempfile
import textwrap
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset

from course_utils import data, labels, plots, tasks
from course_utils.data import render, synthcity
from course_utils.data.street import Polygons
from course_utils.exercises import check, compare, progress
from course_utils.sliders import sliders

plt.rcParams.update(plots.STYLE)

torch.manual_seed(0)
todo = [tasks.segmentation(7), tasks.depth(), tasks.normals()]
K = len(todo)
print(f"K = {K} tasks:", ", ".join(task.name for task in todo))

# %% [markdown]
# ## 1. A sample
#
# Multi-task learning asks several questions about one picture. So a training example is one picture with
# several answers. We call it a **sample**: a dict of tensors that all have the same height $H$ and width
# $W$. For every pixel it holds
#
# * the colour, which the network is given,
# * the **class** of what is seen there: road, car, sky and so on,
# * its **depth**: how far away it is (as *inverse* depth; section 4 tells why),
# * its **surface normal**: the direction in which the surface looks, a vector of length 1.
#
# The last three are the **targets**. The data set that is always there is **SynthCity**. It is drawn by the
# course's own program, because photographs such as those of Cityscapes may not be passed on.
#
# **Predict.** A frame has 128×256 pixels. Which shapes do the four tensors have? Which of them can be a
# tensor of whole numbers?

# %%
train = data.load("synthcity", "train", size=(128, 256), classes=7)
sample = train[0]
for kind, values in sample.items():
    low, high = values.min().item(), values.max().item()
    print(f"{kind:<13} {str(values.dtype):<14} {str(tuple(values.shape)):<15} {low:5.1f} to {high:.1f}")

# %% [markdown]
# | key | shape | type | values | marks a pixel without an answer |
# |---|---|---|---|---|
# | `image` | [3, H, W] | float32 | 0 to 1: red, green, blue | – |
# | `segmentation` | [H, W] | int64 | class number, from 0 | −1, called **void** |
# | `depth` | [1, H, W] | float32 | inverse depth, 0 to 0.4922 | 0 |
# | `normals` | [3, H, W] | float32 | x to the right, y up, z towards the viewer | (0, 0, 0) |
#
# Colours come first in the shape because torch's convolutions want them there. A class is a name and not a
# quantity: class 4 is not twice class 2. So it is stored as a whole number, and nothing is ever averaged over
# it.
#
# The last column is as important as the others. No data set has an answer everywhere, and every loss and
# every metric has to leave those pixels out. A **convention** says how they are marked.

# %%
plots.show(
    plots.samples(train, todo, rows=2),
    "Two street scenes. In each row: the picture, the same scene in flat colours for its classes, its "
    "inverse depth, bright in front, dark far away, with black gaps, and its normals, coloured by direction.",
)
print(f"{len(train)} such frames, {sample['segmentation'].numel()} pixels in each")

# %% [markdown]
# Read the picture of the normals: red is x, green is y, blue is z, each moved from −1…1 to 0…1. The road
# looks up, so its green is full; a facade on the left looks to the right and is reddish. Black is what has no
# answer, and it is not the same area in the three targets: the bonnet of our own car has none of them, the
# sky has a class but neither depth nor a normal, and the depth has gaps of its own.

# %% [markdown]
# {{exercise 01.answered}}
#
# Every loss and every metric begins with the question which pixels count. Write it as a function. It gets a
# sample and returns a dict with a **mask** for each target that the sample has, under the keys
# `"segmentation"`, `"depth"` and `"normals"`. A mask is a tensor of type bool and of shape [H, W]: True where
# there is an answer. How a missing answer is marked stands in the last column of the table.
#
# Two corners. A normal may have zeros in it, or add up to zero, and still be one. And Cityscapes has no
# normals: what is not in the sample is not in the result.


# %%
def answered(sample):
    """Where each target has an answer: kind -> bool [H, W]."""
    ### BEGIN SOLUTION
    masks = {"segmentation": sample["segmentation"] != -1, "depth": sample["depth"][0] != 0}
    if "normals" in sample:
        masks["normals"] = (sample["normals"] != 0).any(dim=0)  # not the sum: (1, -1, 0) has the sum 0
    return masks
    ### END SOLUTION


# %%
answered = check("01.answered", answered)

# %% [markdown]
# By hand: four pixels beside each other, a piece of road, of sky, of a car whose window misled the stereo
# camera, and of our own bonnet.

# %%
four_pixels = {
    "image": torch.rand(3, 1, 4),
    "segmentation": torch.tensor([[0, 4, 6, -1]]),
    "depth": torch.tensor([[[0.2, 0.0, 0.0, 0.0]]]),
    "normals": torch.tensor([[[0.0, 0, 0, 0]], [[1.0, 0, 0, 0]], [[0.0, 0, 1, 0]]]),
}
for kind, mask in answered(four_pixels).items():
    print(f"{kind:<13} {mask[0].tolist()}")
print("and in the first frame of SynthCity:")
for kind, mask in answered(sample).items():
    print(f"{kind:<13} has an answer at {mask.float().mean():.0%} of the pixels")

# %% [markdown]
# Three masks, all of them different. So each task has pixels of its own to learn from.
#
# A convention that is only written down is soon broken. We write it as code, and let it look at some frames.


# %%
def check_sample(sample, classes):
    length = sample["normals"].norm(dim=0)
    is_unit_or_zero = torch.isclose(length, torch.ones(())) | (length == 0)
    return {
        "colours in 0..1": bool(((sample["image"] >= 0) & (sample["image"] <= 1)).all()),
        "classes from void to the last": bool(
            ((sample["segmentation"] >= -1) & (sample["segmentation"] < classes)).all()
        ),
        "depth in 0..0.4922": bool(((sample["depth"] >= 0) & (sample["depth"] <= 0.4922)).all()),
        "normals of length 1 or 0": bool(is_unit_or_zero.all()),
    }


checks = [check_sample(train[index], classes=7) for index in range(8)]
for rule in checks[0]:
    print(f"{rule:<30} holds in {sum(found[rule] for found in checks)} of {len(checks)} frames")

# %% [markdown]
# ## 2. From ids to classes
#
# Cityscapes (Cordts et al., CVPR 2016) labels every pixel with one of 35 **ids**. Most work does not use
# them as they are:
#
# * 16 ids are left out of the usual 19 classes, because they are rare, or nothing that one can learn to see,
#   such as "out of region". They become void.
# * The ids are also sorted into seven **categories**. The MTAN paper trains on these seven (its Table 1).
# * For two classes, people and vehicles are the foreground and everything else the background.
#
# The package holds the list of the ids, because it is a fact and not a thing to build. Each row has the id,
# its name, its number among the 19 classes (`train_id`, with −1 for void) and its category:

# %%
print(labels.CITYSCAPES_IDS[7])
for category in ("void", *labels.label_set(7).names):
    rows = [row for row in labels.CITYSCAPES_IDS if row.category == category]
    listed = ", ".join(f"{row.id} {row.name}" for row in rows)
    print(textwrap.fill(f"{category:<13} {listed}", 90, subsequent_indent=14 * " "))

# %% [markdown]
# To turn a picture of ids into a picture of classes we need no `if`. We write down a **table**: an array with
# the class of id 0 in place 0, the class of id 1 in place 1, and so on. Then `table[ids]` looks up every
# pixel at once, for an array of any shape.
#
# The licence plate has id −1. In Python index −1 is the last place, so its class goes there: place 34.
#
# **Predict.** Id 9 is a parking lot: it has no class among the 19, and the category "flat". What stands in
# place 9 of each of the three tables? And in place 0, unlabelled?

# %% [markdown]
# {{exercise 01.id_table}}
#
# Make the table for 19, 7 or 2 classes. It is a NumPy array of int64 with 35 places, in the order of
# `labels.CITYSCAPES_IDS`, which is the order of the ids with the licence plate last. Void is −1.
#
# * 19: the row's `train_id`.
# * 7: the place of the row's category in `names_7`; void where the category is `"void"`.
# * 2: the categories `"human"` and `"vehicle"` are 1, *everything* else is 0. The paper knows no void here.
#
# <details><summary>Stuck?</summary>
#
# Begin with 19 classes: it is one number out of each row. For 7, look at what `names_7.index("sky")` gives,
# and at what it does for `"void"`. The whole answer is in
# [the solutions](solutions/01_data_set.ipynb).
#
# </details>


# %%
def id_table(classes):
    """The class of each row of labels.CITYSCAPES_IDS: int64 [35]."""
    names_7 = labels.label_set(7).names
    ### BEGIN SOLUTION
    if classes == 19:
        table = [row.train_id for row in labels.CITYSCAPES_IDS]
    elif classes == 7:
        table = [
            names_7.index(row.category) if row.category in names_7 else -1 for row in labels.CITYSCAPES_IDS
        ]
    elif classes == 2:
        table = [int(row.category in ("human", "vehicle")) for row in labels.CITYSCAPES_IDS]
    return np.array(table, dtype=np.int64)
    ### END SOLUTION


# %%
id_table = check("01.id_table", id_table)

# %%
for classes in (19, 7, 2):
    table = id_table(classes)
    print(f"{classes:>2} classes: parking {table[9]:>2}, unlabelled {table[0]:>2}, plate {table[-1]:>2}")

# %% [markdown]
# The parking lot is void among the 19 and flat among the 7. So seven classes made from the 19 have more void
# than seven made from the ids: what is once void cannot be brought back. Among two classes there is no void
# at all: the paper counts it as background.
#
# Now a picture that is small enough to do on paper: 23 is sky, 11 building, 26 car, 7 road, 9 parking, 1 our
# own car, 24 a person.
#
# **Predict.** Write down the 3×4 numbers for seven classes.

# %%
ids = np.array([[23, 23, 11, 11], [11, 24, 26, -1], [7, 9, 7, 1]])
for classes in (19, 7, 2):
    print(f"{classes} classes\n{id_table(classes)[ids]}")
same = [np.array_equal(id_table(classes), labels.id_table(classes)) for classes in (19, 7, 2)]
print("equal to the package:", all(same))

# %% [markdown]
# {{exercise 01.coarsen}}
#
# SynthCity draws the 19 classes. Seven or two are made from them by a second table of the same kind. Write
# `coarsen(train_ids, classes)`: it gets an array of whole numbers, each from 0 to 18 or void, of any shape,
# and the number of classes wanted (19, 7 or 2). It returns a new int64 array of the same shape.
#
# Among 19 and 7 classes, void stays void. Among two classes it is background, as in the id table.
#
# <details><summary>Stuck?</summary>
#
# You have a table from ids to train ids, and one from ids to the classes wanted. Row by row, the two give a
# table from train ids to the classes wanted. Then think of void: it is −1, so which place of your table does
# it look up, and is that place free?
#
# </details>


# %%
def coarsen(train_ids, classes):
    """Labels of the 19 classes, or void, as labels of 19, 7 or 2 classes; any shape."""
    ### BEGIN SOLUTION
    table = np.full(20, 0 if classes == 2 else -1)  # place 19, which is also place -1, stays void
    for row, new_class in zip(labels.CITYSCAPES_IDS, id_table(classes), strict=True):
        if row.train_id != -1:
            table[row.train_id] = new_class
    return table[train_ids]
    ### END SOLUTION


# %%
coarsen = check("01.coarsen", coarsen)

# %%
train_ids = data.load("synthcity", "train", size=(128, 256), classes=19)[0]["segmentation"].numpy()
pictures = {}
for classes in (19, 7, 2):
    coarse = torch.from_numpy(coarsen(train_ids, classes))
    pictures[f"{classes} classes"] = tasks.segmentation(classes).draw(coarse)
    seen = coarse.unique()
    print(f"{classes:>2} classes: {(seen >= 0).sum()} of them in this frame, void in it: {-1 in seen}")
plots.show(
    plots.pictures(pictures, columns=3, source=train.source),
    "The labels of one street scene three times, in 19 classes, in 7 and in 2, where only people and "
    "vehicles stand out from a grey background.",
)

# %% [markdown]
# What mattered here: a table for 19 classes has 19 places, and −1 looks up the last one. With 19 places that
# is the bicycle, and our own bonnet becomes a vehicle, without any error. A twentieth place is for void.
#
# ## 3. How often is each class seen?
#
# We count pixels. Void is no class, so it is neither counted nor among what we divide by.

# %% [markdown]
# {{exercise 01.class_share}}
#
# Write `class_share(segmentation, classes)`. It gets labels as an int64 tensor of any shape, a frame [H, W]
# or a batch of them [B, H, W], with void pixels among them. It returns a tensor of shape [classes]: the share
# of the *labelled* pixels that each class has, over the whole batch.
#
# Two corners. Not every class occurs in every frame, but each has its place. And a frame may be void
# everywhere: then all shares are 0.
#
# <details><summary>Stuck?</summary>
#
# `torch.bincount` counts how often each number occurs in a tensor with one axis. It takes no negative
# numbers, and it has an argument `minlength`.
#
# </details>


# %%
def class_share(segmentation, classes):
    """The share of the labelled pixels that each class has: float [classes]."""
    ### BEGIN SOLUTION
    counts = torch.bincount(segmentation[segmentation >= 0], minlength=classes)  # void is not counted
    return counts / counts.sum().clamp(min=1)  # 0 / 1 where nothing is labelled
    ### END SOLUTION


# %%
class_share = check("01.class_share", class_share)

# %% [markdown]
# By hand: five pixels, (0, 0, 0, 2, void). Four are labelled, so class 0 has 3/4, class 2 has 1/4.
#
# **Predict.** Nineteen classes: if all were seen equally often, each would have 5 % of the pixels. Which
# class has the most, and how many times as many pixels as a motorcycle?

# %%
print("by hand:", class_share(torch.tensor([0, 0, 0, 2, -1]), classes=3).tolist())

small = data.load("synthcity", "train", size=(64, 128), classes=19, length=40)
frames = [small[index] for index in range(len(small))]
share = class_share(torch.stack([frame["segmentation"] for frame in frames]), classes=19).float()

names, colours = labels.label_set(19)
percent = dict(zip(names, (100 * share).tolist(), strict=True))
label = "share of the labelled pixels (%), 40 frames of SynthCity"
plots.show(
    plots.bars(percent, label, colours=colours, number_format=".1f"),
    "Nineteen bars, the share of each class. Road, building and vegetation are long; more than half of the "
    "classes have a bar that can hardly be seen.",
)
three = share[[0, 2, 8]].sum()
print(f"road, building and vegetation together: {three:.0%}; classes below 1 %: {(share < 0.01).sum()} of 19")

# %% [markdown]
# In Cityscapes it is much the same: road, building and vegetation have three quarters of the labelled
# pixels, a motorcycle about one pixel in a thousand. A street is mostly street. SynthCity is drawn so that it
# is as unfair as the real thing, because much of what goes wrong in training goes wrong for this reason.
#
# Here is the reason in numbers. Imagine a network that looks at nothing and answers the most frequent class
# everywhere. Two measures, which chapter 03 builds properly:
#
# * **pixel accuracy**: the share of the labelled pixels that are right;
# * **mean IoU** (mIoU): for each class, the pixels that are of this class in *both* prediction and truth,
#   divided by those that are in *either*; then the mean over the classes.
#
# By hand, four pixels of two classes, truth (0, 0, 0, 1), prediction (0, 0, 0, 0): the accuracy is 3/4. The
# IoU of class 0 is 3/4, that of class 1 is 0/1, their mean is 3/8.
#
# **Predict.** With seven classes, "flat" has about 40 % of the pixels, so the answer "flat everywhere" has an
# accuracy of 0.4. Which mIoU has it, as a number from 0 to 1?

# %%
### BEGIN SOLUTION
guess = 0.06
### END SOLUTION
table = torch.from_numpy(coarsen(np.arange(19), 7))
share_7 = torch.zeros(7).index_add(0, table, share)
iou = torch.zeros(7)
iou[share_7.argmax()] = share_7.max()  # both: all pixels of the class; either: all pixels there are
compare("01.always_flat", guess, iou.mean())

# %% [markdown]
# We note down what such an answer reaches, and the same for depth: the best constant there is the **median**,
# because that is the number with the smallest sum of absolute differences.

# %%
answer = labels.label_set(7).names[share_7.argmax()]
print(f"always {answer!r}: accuracy {share_7.max():.2f}, mean IoU {iou.mean():.2f}")

every_depth = torch.cat([frame["depth"][frame["depth"] > 0] for frame in frames])
constant = every_depth.median()
print(f"always inverse depth {constant:.3f}: mean absolute error {(every_depth - constant).abs().mean():.3f}")

# %% [markdown]
# An accuracy of that size sounds like a network that has learned something, and it has seen nothing. The mean
# IoU is its share divided by seven, and tells the truth: the course reports the mean IoU. Keep the two lines:
# they are what any network of this course has to beat.
#
# ## 4. Inverse depth
#
# Cityscapes measured depth with two cameras side by side, as we do with two eyes. A **pinhole camera** with
# focal length $f$ (in pixels) sees the point $(X, Y, Z)$, $Z$ metres in front of it, at $X$ metres to the
# right, in column
#
# $$u_{\text{left}} = u_0 + f \, \frac{X}{Z}$$
#
# where $u_0$ is the column that it looks along. The second camera stands $B$ metres to the right, so the same
# point is only $X - B$ to its right:
#
# $$u_{\text{right}} = u_0 + f \, \frac{X - B}{Z}$$
#
# The difference of the two is the **disparity** $d$. It is what a stereo program measures, by finding the
# same spot in both pictures:
#
# $$d = u_{\text{left}} - u_{\text{right}} = \frac{f B}{Z}$$
#
# The unknown $X$ has gone. Disparity is a constant divided by depth: it *is* inverse depth, in a unit of its
# own. For Cityscapes $B$ = 0.209313 m and $f$ = 2262.52 pixels, at a picture width of 2048.
#
# **Predict.** What is the disparity of a car 10 m away? Of one 20 m away? Of the sky?

# %%
BASELINE, FOCAL_LENGTH = 0.209313, 2262.52
print(f"f B = {FOCAL_LENGTH * BASELINE:.2f} pixel metres")
for metres in (10, 20, float("inf")):
    print(f"Z = {metres:>3} m  d = {FOCAL_LENGTH * BASELINE / metres:5.2f} pixels")

# %% [markdown]
# On disk, Cityscapes keeps the disparity in pictures of 16-bit whole numbers $p$ in steps of 1/256 pixel,
# and uses 0 for "not measured":
#
# $$p = 256 \, d + 1 \quad \text{or} \quad p = 0, \qquad d = \frac{p - 1}{256}$$
#
# The MTAN authors' files hold this number divided by 65535, the largest 16-bit number. It brings the values
# into 0…1, near the size of what a network puts out. We call it $q$, and it is what "depth" means for every
# street in this course:
#
# $$q = \frac{p - 1}{65535} = \frac{256}{65535} \cdot \frac{f B}{Z}, \qquad q = 0 \text{ where } p = 0$$

# %% [markdown]
# {{exercise 01.q_from_file}}
#
# Write the equation as a function. It gets $p$ as a picture is read from disk, a NumPy array of type uint16,
# whole numbers from 0 to 65535, of shape [H, W]. It returns $q$ as a new float32 array of the same shape.
# Mind the holes: they stay exactly 0.
#
# <details><summary>Stuck?</summary>
#
# Try `np.array([0, 1, 2], dtype=np.uint16) - np.uint16(1)` in a cell of your own. Then ask in which order to
# change the type and to subtract.
#
# </details>


# %%
def q_from_file(p):
    """Inverse depth q, float32 [H, W], from the uint16 numbers p [H, W] on disk; holes stay 0."""
    ### BEGIN SOLUTION
    # First the type, then the 1: a uint16 cannot be negative, and 0 - 1 would be 65535.
    return np.maximum(p.astype(np.float32) - 1, 0) / np.float32(65535)
    ### END SOLUTION


# %%
q_from_file = check("01.q_from_file", q_from_file)

# %% [markdown]
# Now both ways: from metres to $p$, and by your function from $p$ to $q$.


# %%
UNITS_PER_INVERSE_METRE = 256 / 65535 * FOCAL_LENGTH * BASELINE


def to_inverse_depth(metres):
    return UNITS_PER_INVERSE_METRE / metres


def to_metres(inverse_depth):
    return UNITS_PER_INVERSE_METRE / inverse_depth


print(f"q = {UNITS_PER_INVERSE_METRE:.3f} / Z")
print("   Z in m   d in pixels   p on disk        q")
for metres in (4, 5, 10, 20, 50, 100, float("inf")):
    disparity = FOCAL_LENGTH * BASELINE / metres
    p = np.array([round(256 * disparity) + 1], dtype=np.uint16)
    print(f"{metres:>9} {disparity:>13.2f} {p[0]:>11} {q_from_file(p)[0]:>8.4f}")
print(f"{'hole':>9} {'':>13} {0:>11} {q_from_file(np.zeros(1, np.uint16))[0]:>8.4f}")
by_equation, by_file = to_inverse_depth(20), q_from_file(np.array([6063], dtype=np.uint16))[0]
print(f"20 m by the equation and by the file: {by_equation:.4f} and {by_file:.4f}")

# %% [markdown]
# What mattered in the function: **a type has a range.** In uint16, 0 − 1 is 65535, without any warning. Every
# hole would become $q = 1$, nearer than anything that was ever measured.
#
# The largest value in the files is $q$ = 0.4922. That is a disparity of 126 pixels, or 3.76 m: nothing nearer
# was measured. (Whether the 1 is subtracted from $p$ changes $q$ by 1/65535, far less than any network errs.)
#
# $q$ always speaks of the camera at its full width of 2048 pixels. When a frame is made smaller, to 256
# columns for example, distances on the picture shrink to an eighth, but nothing moves: $q$ stays as it is.
#
# Why not metres? Three reasons.
#
# 1. **Infinity is a number.** Far away $q$ goes to 0. In metres it would go to infinity, and so would the
#    loss.
# 2. **An error counts where it matters.** The same error in $q$ is centimetres in front of the car and many
#    metres at the end of the street. Nobody needs the far houses to the metre.
# 3. **It is what is measured.** A stereo program errs by some part of a pixel, near and far alike. So the
#    noise in $q$ is the same everywhere, and the noise in metres is not.
#
# How much do they differ? Let a stereo program be wrong by half a pixel.
#
# **Predict.** At 10 m, half a pixel of disparity is an error of 0.11 m. How many metres is it at 100 m?

# %%
### BEGIN SOLUTION
guess = 11
### END SOLUTION
compare("01.half_pixel", guess, 0.5 * 100**2 / (FOCAL_LENGTH * BASELINE))

# %% [markdown]
# The second and third reason in a formula: from $Z = fB/d$ follows
#
# $$|\Delta Z| \approx \frac{Z^2}{f B} \, |\Delta d|$$

# %%
metres = torch.linspace(3.76, 100, 200)
off_by = 0.5 * metres**2 / (FOCAL_LENGTH * BASELINE)  # half a pixel
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for axis, values in zip(axes, (to_inverse_depth(metres), off_by), strict=True):
    axis.plot(metres, values, color=plots.TASK_COLOURS["depth"])
    axis.set(xlabel="depth Z (m)", xlim=(0, 100), ylim=(0, None))
axes[0].set(ylabel="inverse depth q (no unit)")
axes[1].set(ylabel="error in metres of half\na pixel of disparity")
figure.supxlabel("Computed for the stereo camera of Cityscapes", fontsize=9, color="0.4")
plots.show(
    figure,
    "Two curves over depth from 4 to 100 m. Left, inverse depth falls steeply from 0.49 and flattens out "
    "near 0.02. Right, the error in metres grows as a parabola from nearly 0 to over 10 m.",
)
for distance in (10, 100):
    print(f"at {distance:>3} m: {0.5 * distance**2 / (FOCAL_LENGTH * BASELINE):.2f} m")

# %% [markdown]
# So an error of the network counts in $q$ as it counts for the driver: what is near counts most. That is a
# choice, and you should know that it was made.
#
# ### Holes
#
# A stereo program has to find the same spot twice. Where it cannot, there is no depth. One case can be
# computed: **what the right camera does not see**, because something nearer stands before it.
#
# Look at one row of pixels. A pixel in column $u$ with disparity $d$ lies in column $u - d$ of the right
# picture. So near things, with their large $d$, move further to the left than far ones. If a pixel that
# stands further right than ours comes to lie further left, then something nearer has moved over our pixel.
#
# **Predict.** A wall with disparity 1, and before it a van in columns 5 to 8 with disparity 3.75. Which
# columns of the wall does the right camera not see?


# %%
def hidden_from_the_right(disparity):
    in_right_image = np.arange(len(disparity)) - disparity
    to_the_right = np.minimum.accumulate(in_right_image[::-1])[::-1]  # smallest from here to the end
    # Half a pixel of tolerance: neighbours on one slanted wall may land almost on the same place.
    return (to_the_right < in_right_image - 0.5) | (in_right_image < -0.5)


disparity = np.array([1, 1, 1, 1, 1, 3.75, 3.75, 3.75, 3.75, 1, 1])
hidden = hidden_from_the_right(disparity)
print("column  in the right picture  hidden")
for column in range(len(disparity)):
    print(f"{column:>6} {column - disparity[column]:>21.2f} {'yes' if hidden[column] else '':>7}")

# %% [markdown]
# The van covers the right picture from about 1 to 5, and wall columns 3 and 4 would lie there. Wall column 0
# lies outside the right picture. So there is a hole to the *left* of everything near, as wide as the two
# disparities differ, and a strip at the left border. Look again at the first figure: there are black stripes
# left of near poles, people and cars.
#
# **Look for yourself.** The next figure follows one row of a frame. Above, the row in the picture; below, $q$
# along it, and the holes in grey. Which grey strips lie left of a step up, to something nearer? Which do not,
# and why?


# %%
def along_a_row(row=53, frame=0):
    shown = train[frame]
    q_of_row = shown["depth"][0, row].numpy()
    holes = ~answered(shown)["depth"][row].numpy()
    figure, axes = plt.subplots(
        2, 1, figsize=(7.4, 5.2), sharex=True, height_ratios=(2.6, 1), layout="constrained"
    )
    axes[0].imshow(shown["image"].permute(1, 2, 0), aspect="auto")  # columns above those of the curve
    axes[0].axhline(row, color="white", linewidth=1)
    axes[0].set(ylabel="row")
    axes[1].fill_between(np.arange(len(holes)), 0, 0.5, where=holes, step="mid", color="0.8", label="hole")
    axes[1].plot(np.where(holes, np.nan, q_of_row), color=plots.TASK_COLOURS["depth"], label="q")
    axes[1].set(xlabel="column", ylabel="inverse depth q\n(no unit)", ylim=(0, 0.5))
    axes[1].legend(loc="upper right", ncols=2, frameon=True, framealpha=1)
    figure.supxlabel(train.source, fontsize=9, color="0.4")
    plots.show(
        figure,
        f"A street scene with a white line at row {row}. Below it the inverse depth along this row: a curve "
        "with steps at the edges of things, and grey strips where there is no depth.",
    )
    print(f"row {row} of frame {frame}: no depth at {holes.sum()} of {len(holes)} pixels")


along_a_row()

# %% [markdown]
# With sliders: move the row from the sky down to the bonnet, or take another frame.

# %%
sliders(along_a_row, row=(0, 127, 1), frame=[0, 1, 2, 3])

# %% [markdown]
# In row 53 the strip at column 213 is left of a tree, and the strip at the border is what lies outside the
# right picture. The strips at columns 100 and 123 are something else: windows of cars. Glass shows mirror
# images, and they mislead a stereo program.
#
# The other holes are the sky, our own car and what is too near. In the file all of them are 0, the number
# that infinity would have had. So 0 means "no answer", and no loss may take it for a far wall.

# %%
frame_19 = data.load("synthcity", "train", size=(128, 256), classes=19)[0]
hole = frame_19["depth"][0] == 0
for number in (0, 2, 10):
    here = frame_19["segmentation"] == number
    print(f"{names[number]:<9} no depth at {hole[here].float().mean():4.0%} of its pixels")
print(f"own car   no depth at {hole[frame_19['segmentation'] == -1].float().mean():4.0%} of its pixels")

# %% [markdown]
# ## 5. A plane has affine inverse depth
#
# Now we learn to draw such a data set. It takes one fact. Streets are made of planes: the road, the fronts of
# the houses, the sides of cars. Take a plane, in the camera's coordinates ($X$ to the right, $Y$ *down*, $Z$
# forward), with a normal $\mathbf{n}$ and at distance $\delta$:
#
# $$n_x X + n_y Y + n_z Z = \delta$$
#
# The pixel $(u, v)$ looks along the **ray** $X/Z = (u - u_0)/f$, $Y/Z = (v - v_0)/f$. Divide the equation of
# the plane by $\delta Z$ and put the ray in:
#
# $$\frac{1}{Z} = \frac{n_x}{\delta} \cdot \frac{u - u_0}{f} + \frac{n_y}{\delta} \cdot \frac{v - v_0}{f}
#   + \frac{n_z}{\delta} = a \, u + b \, v + c$$
#
# On a plane, inverse depth is **affine** in the pixel's coordinates: two slopes and a constant. $Z$ itself is
# not. So three numbers tell the exact inverse depth of a wall at every pixel.
#
# By hand: a flat road, and a camera 1.25 m above it that looks straight ahead, with $f = 100$. The road is
# the plane $Y = 1.25$, so $\mathbf{n} = (0, 1, 0)$, $\delta = 1.25$, and $1/Z = (v - v_0)/125$.
#
# **Predict.** What depth has the pixel 25 rows below the **horizon** $v_0$? And the one 50 rows below?

# %%
focal, height_of_camera = 100, 1.25
for below_horizon in (25, 50):
    depth = 1 / (below_horizon / (focal * height_of_camera))
    back = focal * height_of_camera / depth  # project the point (0, 1.25, Z): f Y / Z
    print(f"{below_horizon} rows below the horizon: Z = {depth:.2f} m, projected back: {back:.0f} rows below")

# %% [markdown]
# Twice as far below the horizon is half as far away. And at the horizon itself $1/Z = 0$: the road never
# ends, and the numbers stay finite.
#
# We can hold SynthCity against this. If $q$ is affine down a column, then its **second difference**
# $q_{v+1} - 2 q_v + q_{v-1}$ is 0 wherever three pixels lie on the road.


# %%
def second_difference(values):
    return values[2:] - 2 * values[1:-1] + values[:-2]


q = frame_19["depth"][0]
is_road = (frame_19["segmentation"] == 0) & (q > 0)
on_road = is_road[2:] & is_road[1:-1] & is_road[:-2]
step = (q[1:-1] - q[:-2])[on_road].abs().median()
largest = second_difference(q)[on_road].abs().max()
print(f"q on the road: it grows by {step:.4f} from row to row")
print("q: second difference below 0.000001 everywhere:", bool(largest < 1e-6))
print(f"Z: second difference up to {second_difference(to_metres(q))[on_road].abs().max():.0f} m")

# %% [markdown]
# Inverse depth is straight to the last digit of a float. Depth in metres bends, and most of all near the
# horizon.
#
# ## 6. Your own street
#
# A drawing program for planes has four parts: a camera, the normal of each polygon, its three numbers $a, b,
# c$, and a rule for what hides what. We build them one by one, in the names of `course_utils.data.render`.
#
# In the **world** $x$ points to the right, $y$ up and $z$ along the street, in metres. A **camera** has a
# position and a rotation, which turns world directions into its own. Ours does not turn at all: it only
# counts $y$ downwards, as pixels do. Its field of view is that of Cityscapes.


# %%
class Camera(NamedTuple):
    position: np.ndarray  # [3] in the world
    rotation: np.ndarray  # [3, 3] from world axes to camera axes
    focal: tuple[float, float]  # in pixels, across and down
    centre: tuple[float, float]  # (u0, v0)
    size: tuple[int, int]  # H, W


def project(points, camera):
    """Pixel coordinates [n, 2] of world points [n, 3]."""
    x, y, z = ((points - camera.position) @ camera.rotation.T).T
    return np.stack([x / z, y / z], axis=1) * camera.focal + camera.centre


H, W = 128, 256
focal = FOCAL_LENGTH / 2048 * W
centre = ((W - 1) / 2, (H - 1) / 2)
camera = Camera(np.array([0, 1.3, 0]), np.diag([1.0, -1.0, 1.0]), (focal, focal), centre, (H, W))
print("straight ahead:          ", project(np.array([[0, 1.3, 10.0]]), camera)[0])
print("on the road, 10 m away:  ", project(np.array([[0, 0, 10.0]]), camera)[0].round(1))

# %% [markdown]
# A point straight ahead falls on the centre of the picture, one on the road below it: a larger row, because
# rows are counted from the top.
#
# The **scene** is four polygons, each with its class among the 19, a colour and four corners: a road, a
# facade on each side, and a box as large as the back of a van. The order of the corners has a meaning. It
# tells which side is the *front*: the cross product of two edges has to point out of it.

# %%
scene = {
    "road": (0, (0.5, 0.5, 0.52), [(-6, 0, 2), (-6, 0, 150), (6, 0, 150), (6, 0, 2)]),
    "left facade": (2, (0.95, 0.85, 0.65), [(-6, 0, 2), (-6, 9, 2), (-6, 9, 150), (-6, 0, 150)]),
    "right facade": (2, (0.9, 0.55, 0.4), [(6, 0, 150), (6, 9, 150), (6, 9, 2), (6, 0, 2)]),
    "box": (13, (0.2, 0.45, 0.85), [(1, 0, 12), (1, 2, 12), (2.8, 2, 12), (2.8, 0, 12)]),
}
classes_of, colours, polygons = (np.array(column, float) for column in zip(*scene.values(), strict=True))
print("classes, colours, corners:", classes_of.shape, colours.shape, polygons.shape)


# %%
def face_normal(corners):
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    return normal / np.linalg.norm(normal)


for name, corners in zip(scene, polygons, strict=True):
    print(f"{name:<13} looks along", face_normal(corners) + 0.0)

# %% [markdown]
# The road looks up, each facade looks across the street at the other one, the box looks back at us.
#
# Now the three numbers. `distance` is $\delta$. It is negative if we see the front. (With a positive one we
# would look at the back, which nobody may see in a closed body; the package skips it.)


# %%
def inverse_depth_plane(corners, camera):
    """a, b, c with 1 / Z = a u + b v + c, in 1 / metres."""
    normal = face_normal(corners)
    distance = normal @ (corners[0] - camera.position)
    n = camera.rotation @ normal / distance
    a, b = n[:2] / camera.focal
    return np.array([a, b, n[2] - a * camera.centre[0] - b * camera.centre[1]], dtype=np.float32)


for name, corners in zip(scene, polygons, strict=True):
    a, b, c = inverse_depth_plane(corners, camera).round(5) + 0.0
    print(f"{name:<13} a = {a:8.5f}   b = {b:8.5f}   c = {c:8.5f}")

a, b, c = inverse_depth_plane(polygons[0], camera)
u, v = project(np.array([[2.0, 0, 25.0]]), camera)[0]
print(f"a point of the road 25 m away: 1 / (a u + b v + c) = {1 / (a * u + b * v + c):.2f} m")

# %% [markdown]
# The box faces us, so its inverse depth is the same everywhere: 0.08333 = 1 / 12 m. The road's changes from
# row to row only, and a facade's from column to column.
#
# Last, what hides what. The **z-buffer** keeps, for each pixel, the largest inverse depth drawn so far.
# A polygon may paint a pixel only where its own is larger. OpenCV's `fillPoly` tells which pixels the polygon
# covers. It wants the corners as whole numbers, here in sixteenths of a pixel (`shift=4`).

# %% [markdown]
# {{exercise 01.z_buffer}}
#
# The heart of it is one step: one more polygon. The function gets
#
# * two buffers, both [H, W]: `surface`, int32, the number of the polygon seen so far at each pixel (0 = sky),
#   and `inverse_depth`, float32, its $1/Z$ (0 at the sky);
# * the new polygon: its `number`, a mask `covered` of bool, and `candidate`, float32, the $1/Z$ of its *whole
#   plane*, also where the polygon itself is not.
#
# It returns both buffers, in this order and of the same types, as they are after the polygon is drawn. You
# may change the given ones or make new ones.


# %%
def z_buffer(surface, inverse_depth, number, covered, candidate):
    """Draw one more polygon; return surface and inverse_depth."""
    ### BEGIN SOLUTION
    nearer = covered & (candidate > inverse_depth)
    surface[nearer], inverse_depth[nearer] = number, candidate[nearer]
    return surface, inverse_depth
    ### END SOLUTION


# %%
z_buffer = check("01.z_buffer", z_buffer)

# %% [markdown]
# What is left is to find out what a polygon covers, and to draw one after the other.
#
# **Predict.** We draw the road first and the box last. What would change if we drew the box first?


# %%
def rasterise(polygons, camera):
    """Number of the polygon seen (from 1, 0 = sky) and inverse depth in 1 / m, each [H, W]."""
    height, width = camera.size
    surface, inverse_depth = np.zeros(camera.size, np.int32), np.zeros(camera.size, np.float32)
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for number, corners in enumerate(polygons, start=1):
        outline = np.rint(project(corners, camera) * 16).astype(np.int32)
        covered = cv2.fillPoly(np.zeros(camera.size, np.uint8), [outline], 1, shift=4)
        a, b, c = inverse_depth_plane(corners, camera)
        candidate = a * columns + (b * rows + c)
        surface, inverse_depth = z_buffer(surface, inverse_depth, number, covered == 1, candidate)
    return surface, inverse_depth


# %%
surface, inverse_metres = rasterise(polygons, camera)
for number, name in enumerate(["sky", *scene]):
    print(f"{name:<13} {(surface == number).mean():3.0%} of the pixels")
other_way_round = rasterise(polygons[::-1], camera)[1]
print("the order does not matter:", np.array_equal(other_way_round, inverse_metres))

# %% [markdown]
# Nothing would change: the z-buffer compares depths, and never asks who came first. That is the whole
# drawing program. From `surface` everything else is a look-up, by a table again: the class of the polygon,
# its normal, its colour.
#
# Two details. Normals in a sample count $y$ up and $z$ *towards the viewer*, so we turn the camera's $y$ and
# $z$ round. And a picture needs **light**: a surface is the brighter, the more it looks towards the sun (the
# cosine of the angle between the two, Lambert 1760).


# %%
def look_up(table, surface, nothing):
    """table[k - 1] at pixels of polygon k, `nothing` at the sky. [H, W] or [H, W, 3]."""
    return np.append(table, [nothing], axis=0)[surface - 1]  # the sky's 0 - 1 is the last place


world_normals = np.stack([face_normal(corners) for corners in polygons])
viewer_normals = world_normals @ camera.rotation.T * [1, -1, -1]
sunlight = 0.5 + 0.5 * np.maximum(world_normals @ [0.48, 0.60, -0.64], 0)
lit = colours * sunlight[:, None]
print("how brightly each is lit:", dict(zip(scene, sunlight.round(2).tolist(), strict=True)))

# %%
street = {
    "image": torch.from_numpy(look_up(lit, surface, (0.7, 0.8, 0.9))).permute(2, 0, 1).float(),
    "segmentation": torch.from_numpy(coarsen(look_up(classes_of.astype(int), surface, 10), 7)),
    "depth": torch.from_numpy(inverse_metres * np.float32(UNITS_PER_INVERSE_METRE))[None],
    "normals": torch.from_numpy(look_up(viewer_normals, surface, (0, 0, 0))).permute(2, 0, 1).float(),
}
plots.show(
    plots.samples([street], todo, source="Drawn in this chapter: four polygons"),
    "A street of flat colours: a grey road between two facades, a blue box on the right, sky. Beside it its "
    "classes, its inverse depth, brightest at the lower border, and its normals, a colour for each polygon.",
)
print("the sample keeps the convention:", all(check_sample(street, classes=7).values()))
print(f"the road at the lower border is {to_metres(street['depth'][0, -1, W // 2]):.1f} m away")

# %% [markdown]
# Four polygons, and a picture with exact answers to three questions. **SynthCity is this, with more
# polygons.** Its source has three more pages:
#
# * `props.py` is a catalogue. A **model** (a car, a tree, a person) is a list of flat polygons in coordinates
#   of its own.
# * `street.py` decides at random where things stand: how wide the road is, which houses, which cars; it moves
#   each model to its place and stacks all polygons.
# * `render.py` is what you have just written, and besides a camera that is tilted a little, a cut for
#   polygons that reach behind the camera, shadows, textures and haze.
#
# To show that it is the same, we give our four polygons and our camera to the package.

# %%
unused = Polygons(*[None] * len(Polygons._fields))  # colours, materials and so on: not needed here
stacked = unused._replace(
    corners=np.concatenate(polygons), sizes=np.array([4] * 4), distance=np.array([2, 2, 2, 12])
)
normals = render.face_normals(stacked)
planes = render.inverse_depth_planes(stacked, normals, camera).astype(np.float32)
theirs = render.rasterise(stacked, planes, camera)
print("same normals:       ", np.allclose(normals, world_normals))
print("same polygons seen: ", np.array_equal(theirs.surface, surface))
print("same inverse depth: ", np.array_equal(theirs.inverse_depth, inverse_metres))

# %% [markdown]
# **To think through (10 minutes).** Add a house at the end of the street: a facade at $z = 100$ from
# $x = -6$ to 6, 12 m high. In which order do its corners stand? Check with `face_normal` before you draw.
#
# <details><summary>One answer</summary>
#
# It looks back at us, as the box does, so it has the same order: `"end": (2, (0.8, 0.8, 0.7), [(-6, 0, 100),
# (-6, 12, 100), (6, 12, 100), (6, 0, 100)])`. In the other order its normal points away. The depth would
# even be the same: $a, b, c$ do not change when $\mathbf{n}$ and $\delta$ both change their sign. But the
# normals and the light would be wrong.
#
# </details>
#
# ## 7. Normals from depth
#
# We drew the normals because we know the polygons. Where no one does, they can be computed from the depth.
# Take a pixel and its neighbours to the right and below, find the three points in space, and take the cross
# product of the two differences:
#
# $$\mathbf{P}(u, v) = Z \left( \frac{u - u_0}{f}, \; \frac{v - v_0}{f}, \; 1 \right), \qquad
#   \mathbf{n} \;\propto\; \big(\mathbf{P}(u, v{+}1) - \mathbf{P}(u, v)\big)
#   \times \big(\mathbf{P}(u{+}1, v) - \mathbf{P}(u, v)\big)$$
#
# Finding $\mathbf{P}$ is called **back-projection**: it is `project`, the other way round.


# %%
def back_project(depth, camera):
    """Points [H, W, 3] in camera coordinates, from metres [H, W]."""
    height, width = camera.size
    right = (np.arange(width) - camera.centre[0]) / camera.focal[0]
    down = (np.arange(height)[:, None] - camera.centre[1]) / camera.focal[1]
    rays = np.stack(np.broadcast_arrays(right, down, 1.0), axis=-1)
    return depth[..., None] * rays


def normals_from_depth(inverse_depth, camera):
    """Normals [3, H - 1, W - 1], x right, y up, z towards the viewer; NaN where there is no depth."""
    metres = np.where(inverse_depth > 0, UNITS_PER_INVERSE_METRE / np.maximum(inverse_depth, 1e-9), np.nan)
    points = back_project(metres, camera)
    below, right = points[1:, :-1] - points[:-1, :-1], points[:-1, 1:] - points[:-1, :-1]
    normals = np.cross(below, right) * [1, -1, -1]
    return (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).transpose(2, 0, 1)


# %% [markdown]
# By hand: a wall that faces us at 10 m, seen by a camera of 2×2 pixels. One pixel further right is further
# right in space, $(+, 0, 0)$; one below is further down, $(0, +, 0)$ in the camera's coordinates. Their cross
# product, below × right, is $(0, 0, -)$: towards us. In a sample's coordinates that is $(0, 0, 1)$.

# %%
tiny_camera = Camera(np.zeros(3), np.eye(3), (1.0, 1.0), (0.5, 0.5), (2, 2))
print("a wall:      ", normals_from_depth(np.full((2, 2), to_inverse_depth(10)), tiny_camera).ravel() + 0.0)
floor = to_inverse_depth(np.array([[20.0, 20.0], [10.0, 10.0]]))
print("nearer below:", normals_from_depth(floor, tiny_camera).ravel().round(3) + 0.0)

# %% [markdown]
# A plane that is nearer at its lower end has a normal that points up, as a floor does.
#
# Now the street. Three points of a plane lie in the plane, so on each polygon the result should be *exact*.
# We compare in degrees. Then we do as the files do, and round $q$ to whole steps of 1/65535. And then we add
# noise as a good stereo program has it: a quarter of a pixel.
#
# **Predict.** The rounding changes nothing that we could see: half the angles are below half a degree. How
# many degrees is the middle one (the median) on the left facade with the noise?


# %%
def degrees_between(a, b):
    """Angle between unit vectors [3, ...], by the chord, which is exact for small angles too."""
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=0) / 2, 0, 1)))


def all_three(mask):
    """Where a pixel, its neighbour to the right and the one below are all in the mask."""
    return mask[:-1, :-1] & mask[1:, :-1] & mask[:-1, 1:]


# %%
### BEGIN SOLUTION
guess = 45
### END SOLUTION
q = street["depth"][0].double().numpy()
noise = np.random.default_rng(0).normal(0, 0.25 * 256, q.shape)  # in steps of the file
versions = {
    "exact": q,
    "rounded": np.rint(q * 65535) / 65535,
    "with noise": np.maximum(q * 65535 + noise, 1) / 65535 * (q > 0),
}
drawn = street["normals"].double().numpy()[:, :-1, :-1]


def median_angles(values):
    """Of the road and of the left facade, in degrees."""
    angle = degrees_between(normals_from_depth(values, camera), drawn)
    return [np.median(angle[all_three(surface == number)]) for number in (1, 2)]


compare("01.noisy_normals", guess, median_angles(versions["with noise"])[1])

# %%
for name, values in versions.items():
    medians = median_angles(values)
    print(f"{name:<11} median angle: road {medians[0]:.0f}°, left facade {medians[1]:.0f}°")

# %%
pictures = {"drawn": todo[2].draw(street["normals"])}
for name in ("exact", "with noise"):
    computed = np.nan_to_num(normals_from_depth(versions[name], camera))
    pictures[f"from depth, {name}"] = todo[2].draw(torch.from_numpy(computed).float())
plots.show(
    plots.pictures(pictures, columns=3, source="Drawn in this chapter: four polygons"),
    "Three pictures of the street's normals. Drawn and from exact depth are alike but for thin lines at the "
    "edges of the box. With noise the road is grainy, and box and facades are speckle of all colours.",
)
angle = degrees_between(normals_from_depth(q, camera), drawn)
within = np.logical_or.reduce([all_three(surface == number) for number in (1, 2, 3, 4)])
print("exact depth, within polygons: all below 1°:", bool((angle[within] < 1).all()))
across = all_three(surface > 0) & ~within
print(f"exact depth, across an edge:  {(angle[across] > 5).mean():.0%} of the pixels are off by more than 5°")

# %% [markdown]
# Three lessons. The geometry of our drawing is right: two independent ways give the same normals. At an edge
# the three points lie on two different things, and the result belongs to neither. And a *difference* of
# neighbours turns little noise into much; on a facade more than on the road, because there inverse depth
# changes from pixel to pixel by no more than the noise. This is why one does not simply compute normals for
# Cityscapes, and why those of NYUv2 come from planes fitted to many points at once. SynthCity has exact ones
# because it is drawn.
#
# ## 8. A class that hands out frames
#
# torch asks two things of a data set: how many samples there are, and the sample at an index. The class
# `Dataset` wants them as `__len__` and `__getitem__`. The rest, batches, shuffling, several processes, comes
# for free.
#
# For drawn frames there is one trap. Here is a data set that falls into it.


# %%
class Forgetful(Dataset):
    """Frames from one stream of random numbers."""

    def __init__(self, length):
        self.length, self.rng = length, np.random.default_rng(0)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return round(self.rng.random(), 3)  # stands for a whole frame


forgetful = Forgetful(3)
print("first epoch: ", [forgetful[index] for index in (0, 1, 2)])
print("second epoch:", [forgetful[index] for index in (0, 1, 2)])

# %% [markdown]
# Frame 0 is not the same twice. The network would never see a frame again, two runs could not be compared,
# and a validation set that changes measures nothing.
#
# The cure: **a frame is a function of (seed, split, index)** and of nothing that happened before. Each frame
# gets a random generator of its own, made from these numbers. NumPy's `SeedSequence` mixes them well, so that
# neighbouring indices have nothing in common.


# %%
def generator(*words):
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


for words in ((0, 0, 7), (0, 0, 7), (0, 0, 8), (0, 1, 7), (1, 0, 7)):
    print("seed, split, index =", words, " gives ", generator(*words).random(2).round(3))
print("equal to the package:", generator(0, 0, 7).random() == synthcity.generator(0, 0, 7).random())

# %% [markdown]
# The same three words give the same numbers; change any word and all of them change. So the class is short.
# `draw_frame` of the package draws a whole street, with the generator above and the z-buffer of section 6; we
# make a sample of it.
#
# The `IndexError` is part of the contract: `for sample in dataset` counts upwards until it comes.


# %%
class SynthCity(Dataset):
    def __init__(self, split, size, classes, length, seed=0):
        self.split, self.size, self.classes, self.length, self.seed = split, size, classes, length, seed

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if not 0 <= index < self.length:
            raise IndexError(index)
        frame = synthcity.draw_frame(self.seed, self.split, index, self.size)
        return {
            "image": torch.from_numpy(frame.image),
            "segmentation": torch.from_numpy(coarsen(frame.labels, self.classes)),
            "depth": torch.from_numpy(np.where(frame.holes, 0, frame.inverse_depth))[None],
            "normals": torch.from_numpy(frame.normals),
        }


# %%
def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[kind], b[kind]) for kind in a)


ours = SynthCity("train", size=(64, 128), classes=7, length=12)
theirs = data.load("synthcity", "train", size=(64, 128), classes=7, length=12)
print("equal to the package:", all(equal(ours[index], theirs[index]) for index in range(12)))

# %% [markdown]
# **Predict.** Three claims. (1) Read backwards, the data set gives the same frames. (2) A data set of length
# 12 and one of length 400 share their first twelve frames. (3) The first training frame is also the first
# validation frame. Which are true?

# %%
forwards = [ours[index] for index in range(12)]
backwards = [ours[index] for index in reversed(range(12))][::-1]
print("(1)", all(equal(a, b) for a, b in zip(forwards, backwards, strict=True)))
longer = data.load("synthcity", "train", size=(64, 128), classes=7, length=400)
print("(2)", all(equal(forwards[index], longer[index]) for index in range(12)))
val = data.load("synthcity", "val", size=(64, 128), classes=7, length=12)
print("(3)", equal(forwards[0], val[0]))
shared = sum(equal(a, val[index]) for a in forwards for index in range(12))
print(f"frames in both train and val: {shared} of {len(forwards) * len(val)} pairs")

# %% [markdown]
# The third is false, as it must be. A validation set tells how a network does on what it has *not* seen; one
# shared frame is a leak. Real data sets have this problem in a form that is harder to see: two photographs
# taken one second apart are different files and nearly the same picture. Cityscapes therefore puts whole
# cities into one split.
#
# **To think through (10 minutes).** Write a `Dataset` of your own streets: draw the box's position and the
# street's width from `generator(seed, stream, index)` and call `rasterise`. Which of the three claims do you
# test first?
#
# ## 9. Frames from disk
#
# Real frames are files. The MTAN authors published NYUv2 and Cityscapes in a simple layout, one NumPy file
# for each frame and kind:
#
# ```
# ROOT/train/image/0.npy    [H, W, 3]   colours 0..1
# ROOT/train/label/0.npy    [H, W]      classes, -1 = void
# ROOT/train/depth/0.npy    [H, W, 1]   inverse depth q, 0 = invalid
# ROOT/val/...
# ```
#
# Here the channels come *last*, as in NumPy and OpenCV. We have no Cityscapes at hand, so we make a folder
# that looks like it, from six frames of SynthCity for training and two for validation.


# %%
def write_frame(folder, number, sample):
    arrays = {
        "image": sample["image"].permute(1, 2, 0),
        "label": sample["segmentation"],
        "depth": sample["depth"].permute(1, 2, 0),
    }
    for kind, array in arrays.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        np.save(folder / kind / f"{number}.npy", array.numpy())


temporary = tempfile.TemporaryDirectory()  # Python removes it when the notebook is closed
root = Path(temporary.name)
for split, frames_to_write in {"train": forwards[:6], "val": [val[0], val[1]]}.items():
    for number, frame in enumerate(frames_to_write):
        write_frame(root / split, number, frame)
for folder in sorted(path for path in root.glob("*/*")):
    print(folder.relative_to(root), sorted(path.name for path in folder.iterdir()))

# %% [markdown]
# The reader is the same two methods. The numbers of the frames are sorted as *numbers*.
#
# **Predict.** What would happen to `10.npy` if the names were sorted as text? Would it matter?

# %% [markdown]
# {{exercise 01.npy_frames}}
#
# Write the two methods. `len(frames)` is the number of frames, and `frames[index]` the sample of the frame
# `self.numbers[index]`, a dict with the three keys of `folders`. Its shapes and types are those of the first
# table of this chapter. On disk they differ:
#
# * the channels come last;
# * classes may be whole numbers of another type, and depth may be float64;
# * colours are numbers from 0 to 1 in some downloads, and bytes (uint8) from 0 to 255 in others. In a sample
#   they go from 0 to 1.
#
# <details><summary>Stuck?</summary>
#
# `np.load` reads a file, `torch.from_numpy` makes a tensor of an array, `permute(2, 0, 1)` moves the last
# axis to the front, and `.float()` and `.long()` change the type. Ask for the type of the colours *before*
# you change it.
#
# </details>


# %%
class NpyFrames(Dataset):
    folders = {"image": "image", "segmentation": "label", "depth": "depth"}  # key in a sample -> folder

    def __init__(self, root, split):
        self.folder = Path(root) / split
        self.numbers = sorted(int(path.stem) for path in (self.folder / "image").glob("*.npy"))

    def __len__(self):
        ### BEGIN SOLUTION
        return len(self.numbers)
        ### END SOLUTION

    def __getitem__(self, index):
        ### BEGIN SOLUTION
        name = f"{self.numbers[index]}.npy"
        files = {kind: self.folder / folder / name for kind, folder in self.folders.items()}
        arrays = {kind: torch.from_numpy(np.load(file)) for kind, file in files.items()}
        largest = 255 if arrays["image"].dtype == torch.uint8 else 1
        return {
            "image": arrays["image"].permute(2, 0, 1).float() / largest,
            "segmentation": arrays["segmentation"].long(),
            "depth": arrays["depth"].permute(2, 0, 1).float(),
        }
        ### END SOLUTION


# %%
NpyFrames = check("01.npy_frames", NpyFrames)

# %%
from_disk = NpyFrames(root, "train")
theirs = data.load("cityscapes", "train", root=root)
written = [{kind: frame[kind] for kind in ("image", "segmentation", "depth")} for frame in forwards[:6]]
print("frames:", len(from_disk), len(theirs))
print("equal to what was written:", all(equal(a, from_disk[index]) for index, a in enumerate(written)))
print("equal to the package:     ", all(equal(theirs[index], from_disk[index]) for index in range(6)))

# %% [markdown]
# Sorted as text, 10 comes before 2. Training would not care, but "frame 2" of our code and "frame 2" of
# somebody else's would be different pictures. Such mistakes are found late.
#
# ### What goes wrong
#
# With real downloads the most frequent fault is that files are missing. We copy the folder and remove one
# file.
#
# **Predict.** Frame 3 has no depth any more. When do we hear of it? Write one of
# `"when the data set is made"`, `"when frame 3 is read"` or `"never"`.

# %%
### BEGIN SOLUTION
guess = "when frame 3 is read"
### END SOLUTION
damaged = tempfile.TemporaryDirectory()
shutil.copytree(root, damaged.name, dirs_exist_ok=True)
(Path(damaged.name) / "train" / "depth" / "3.npy").unlink()

noticed, at = "never", "when the data set is made"
try:
    broken = NpyFrames(damaged.name, "train")
    for index in range(len(broken)):
        at = f"when frame {index} is read"
        broken[index]
except FileNotFoundError:
    noticed = at
compare("01.missing_file", guess, noticed)

# %% [markdown]
# Our class notices it when it comes to frame 3: with shuffled data that is some time in the first hour, in a
# random place. The package looks at all folders before the first frame is read, and says what to do.

# %%
try:
    data.load("cityscapes", "train", root=damaged.name)
except data.DataError as error:
    print(str(error).replace(damaged.name, "ROOT"))

# %% [markdown]
# Its class is called `NpyLayout`. Beyond these lines it deals with what else differs from download to
# download: unequal sizes, NaN, classes out of range, labels of 19 classes where 7 were expected, depth in
# another unit. All of that is checking. The reading is what you wrote.
#
# ## 10. Batches
#
# A network is trained on a few samples at a time, a **batch**. The `DataLoader` picks the indices, asks the
# data set for these samples, and stacks them. Stacking is called **collating**: each key gets a new first
# axis.
#
# **Predict.** Which shapes does a batch of four frames of 64×128 have?

# %%
loader = DataLoader(ours, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(0))
batch = next(iter(loader))
for kind, values in batch.items():
    print(f"{kind:<13} {tuple(values.shape)}")

by_hand = {kind: torch.stack([ours[index][kind] for index in range(4)]) for kind in ours[0]}
in_order = next(iter(DataLoader(ours, batch_size=4)))
print("four frames stacked by hand give the first batch in order:", equal(by_hand, in_order))

# %% [markdown]
# | key | a sample | a batch |
# |---|---|---|
# | `image` | [3, H, W] | [B, 3, H, W] |
# | `segmentation` | [H, W] | [B, H, W] |
# | `depth` | [1, H, W] | [B, 1, H, W] |
# | `normals` | [3, H, W] | [B, 3, H, W] |
#
# **Shuffling** draws a new order for each epoch, so that no two frames always meet in one batch. With a
# generator of its own the order is repeatable. To look at orders we use the plainest data set there is: the
# numbers 0 to 7.


# %%
def orders(seed, epochs=2):
    loader = DataLoader(range(8), batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(seed))
    return [[batch.tolist() for batch in loader] for _ in range(epochs)]


for epoch, order in enumerate(orders(seed=0), start=1):
    print("epoch", epoch, order)
print("same seed, same order:  ", orders(seed=0) == orders(seed=0))
print("other seed, same order: ", orders(seed=1) == orders(seed=0))

# %% [markdown]
# All eight numbers come once in each epoch, in another order. `num_workers=2` would let two processes draw
# frames ahead of time. It changes nothing in the frames, *because* each is a function of its index.
#
# ## 11. Flip and zoom
#
# Training frames are few, so we make more of them: mirrored, or a part enlarged. This is called
# **augmentation**. With one image and one label it is easy. With several targets it holds a trap: the
# *values* of some targets depend on the view, not only their places.
#
# ### Flip
#
# Mirror a sample left to right. All tensors are flipped along their last axis.
#
# **Predict.** A facade on the left looks to the right: its normal is $(1, 0, 0)$. After the flip it stands on
# the right. What is its normal?

# %% [markdown]
# {{exercise 01.flip}}
#
# Write `flip(sample)`. It returns a new sample with the same keys, shapes and types, in which everything is
# mirrored: the places of all kinds, and the values of the kind that a mirror changes. The given sample stays
# as it is, and it may have no normals.


# %%
def flip(sample):
    """The sample mirrored left to right, as a new dict of new tensors."""
    ### BEGIN SOLUTION
    flipped = {kind: values.flip(-1) for kind, values in sample.items()}
    if "normals" in flipped:
        flipped["normals"] = flipped["normals"] * torch.tensor([-1.0, 1.0, 1.0])[:, None, None]
    return flipped
    ### END SOLUTION


# %%
flip = check("01.flip", flip)

# %% [markdown]
# By hand: two pixels, the left one looks to the right, the right one looks at us.

# %%
tiny = {
    "image": torch.rand(3, 1, 2),
    "segmentation": torch.tensor([[1, 6]]),
    "depth": torch.tensor([[[0.1, 0.2]]]),
    "normals": torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 1.0]]]),
}
print("x before", tiny["normals"][0].tolist(), " x after", (flip(tiny)["normals"][0] + 0.0).tolist())
print("z before", tiny["normals"][2].tolist(), " z after", (flip(tiny)["normals"][2] + 0.0).tolist())
print("twice is nothing:", equal(flip(flip(sample)), sample))
print("equal to the package:", equal(flip(sample), data.RandomFlip(p=1)(sample)))

# %% [markdown]
# In a mirror, what looked to the right looks to the left: **a flip negates the x of every normal**. What
# looked up still looks up. A class stays a class, a depth stays a depth.
#
# How do we know that this is right? Section 7 gives a judge that knows nothing of flips: compute normals from
# the flipped depth.

# %%
flipped = flip(street)
forgotten = street["normals"].flip(-1)  # moved, but not negated
judge = normals_from_depth(flipped["depth"][0].double().numpy(), camera)
plots.show(
    plots.pictures(
        {
            "before": todo[2].draw(street["normals"]),
            "flipped, x negated": todo[2].draw(flipped["normals"]),
            "flipped, x forgotten": todo[2].draw(forgotten),
        },
        columns=3,
        source="Drawn in this chapter: four polygons",
    ),
    "The normals of the street three times. Before and after the correct flip the left facade has the same "
    "colour; where the sign was forgotten, left and right facades have changed colours.",
)
valid = np.isfinite(judge[0])
for name, normals in {"x negated": flipped["normals"], "x forgotten": forgotten}.items():
    angle = degrees_between(judge, normals.double().numpy()[:, :-1, :-1])[valid]
    facades = angle[np.abs(judge[0][valid]) > 0.99]
    print(f"{name:<12} facades, angle to the normals of the flipped depth: {np.median(facades):.0f}°")

# %% [markdown]
# Without the sign both facades look away from the street, half a turn off. A network that sees every other
# frame flipped is then told two opposite things about every facade, and nothing ever raises an error.
#
# ### Zoom
#
# Cut out the middle half of the picture and enlarge it to the full size, a zoom by $s = 2$. Everything is
# twice as large. A camera of the same focal length sees a thing twice as large if it is twice as near:
# $f X / Z$ doubles when $Z$ is halved. So
#
# $$Z \to \frac{Z}{s}$$
#
# What becomes of the inverse depth $q$, which is a constant divided by $Z$? You say it in the exercise.
# Pixels without an answer stay at 0 either way.
#
# Classes, depth and normals take the value of the **nearest** old pixel. A mean of two classes is no class,
# and the mean of a valid depth and the 0 of a hole is a depth that does not exist. Only colours are
# interpolated.

# %% [markdown]
# {{exercise 01.zoom}}
#
# Given is where each new pixel comes from: the old row and the old column that are nearest to it, and the
# colours of the window, enlarged. Write the rest: return a new sample with the same keys, shapes and types,
# in which every kind is zoomed by the rule for its kind, and the inverse depth has the values that it has
# to have. Normals keep their values. A sample may have no normals.
#
# <details><summary>Stuck?</summary>
#
# `values[..., rows[:, None], columns]` picks for each new row and each new column the old pixel, for tensors
# of two and of three axes alike. For the inverse depth, put numbers in: a car at 20 m has $q = 0.0925$. After
# a zoom by 2 it looks as if it stood where? Look up its $q$ in the table of section 4.
#
# </details>


# %%
def zoom(sample, scale, top, left):
    """Enlarge the window with its corner at (top, left) to the full picture."""
    height, width = sample["image"].shape[-2:]
    window = sample["image"][:, top : top + round(height / scale), left : left + round(width / scale)]
    rows = top + (torch.arange(height) * 2 + 1) * window.shape[1] // (2 * height)
    columns = left + (torch.arange(width) * 2 + 1) * window.shape[2] // (2 * width)
    enlarged = interpolate(window[None], size=(height, width), mode="bilinear", antialias=True)[0]
    enlarged = enlarged.clamp(0, 1)  # rounding may leave 0..1 by the last digit
    ### BEGIN SOLUTION
    zoomed = {kind: values[..., rows[:, None], columns] for kind, values in sample.items()}
    zoomed["image"] = enlarged
    zoomed["depth"] = zoomed["depth"] * scale  # inverse depth: Z is divided, so q is multiplied
    return zoomed
    ### END SOLUTION


# %%
zoom = check("01.zoom", zoom)

# %% [markdown]
# By hand: a picture of 4×4 pixels, of which we enlarge the middle.

# %%
four = {
    "image": torch.zeros(3, 4, 4),
    "segmentation": torch.zeros(4, 4, dtype=torch.int64),
    "depth": torch.arange(1.0, 17).reshape(1, 4, 4) / 100,
}
print("before\n" + str(four["depth"][0].numpy()))
print("the middle, zoomed by 2\n" + str(zoom(four, 2, top=1, left=1)["depth"][0].numpy()))

# %% [markdown]
# The four middle values 0.06, 0.07, 0.10 and 0.11 are doubled, and each fills four pixels. Depth in metres is
# divided, **inverse depth is multiplied**: $q \to s \cdot q$. The two are easily confused, because a file does
# not say which of them it holds, and nothing raises an error.
#
# The check is the road. Section 5 says that on the road $1/Z = (v - v_0)/(f h)$. This holds for every
# picture that a camera at height $h$ takes of a flat road, the zoomed one too: the zoom halves $Z$ and leaves
# the height $Y$ of each point as it is, so the road stays in its plane. We zoom in on the centre, so the
# horizon stays where it is. So **at the same row, before and after, the road must have the same inverse
# depth.**
#
# **Predict.** Near the lower border the road has $q \approx 0.3$. What does the zoomed picture show there if
# $q$ is multiplied by 2, left alone, or divided by 2?

# %%
zoomed = zoom(street, 2, top=H // 4, left=W // 4)
both_road = (street["segmentation"] == 0) & (zoomed["segmentation"] == 0)
row = H - 2
column = int(both_road[row].nonzero()[0])
print(f"before zooming, row {row}:  q = {street['depth'][0, row, column]:.3f}")
multiplied = zoomed["depth"][0, row, column]
for name, factor in {"q times 2": 1, "q as it was": 1 / 2, "q divided by 2": 1 / 4}.items():
    print(f"zoomed, {name:<15} q = {factor * multiplied:.3f}")

row_to_row = UNITS_PER_INVERSE_METRE * inverse_depth_plane(polygons[0], camera)[1]
off_by = (zoomed["depth"] - street["depth"])[0][both_road].abs().max() / row_to_row
print(f"times 2, all road pixels: equal to the street before zooming within {off_by:.2f} rows")

# %%
plots.show(
    plots.samples([street, zoomed], todo, source="Drawn in this chapter: four polygons; below, zoomed by 2"),
    "Two rows: the street and below it its middle, twice as large. The box is twice as large and brighter in "
    "inverse depth; the road has the same brightness at the same height in both rows.",
)
for name, shown in {"before": street, "zoomed": zoomed}.items():
    q_box = shown["depth"][0][shown["segmentation"] == 6].median()
    print(f"{name}: the box is at {to_metres(q_box):.0f} m")

# %% [markdown]
# Only "times 2" keeps the road. The rest of half a row is the price of taking the nearest pixel: an old row
# now fills two rows, so each of them is a quarter of an old row, or half a new one, beside its place. You see
# it in the figure as fine steps on the road.
#
# The normals we left as they are: the surface that a pixel shows has not turned. That is an approximation,
# because a scene of which only the depth is halved is flatter than the real one. On the road it makes no
# difference.
#
# Last, the same as the package. `RandomZoom` draws the scale, then the window's place; we draw from an equal
# generator in the same order.

# %%
package_zoom = data.RandomZoom(scales=(2.0,), inverse_depth=True, generator=torch.Generator().manual_seed(3))
dice = torch.Generator().manual_seed(3)
choices = (1, H - H // 2 + 1, W - W // 2 + 1)  # one scale; the places where the window fits
_, top, left = (int(torch.randint(count, (), generator=dice)) for count in choices)
ours_zoomed, theirs_zoomed = zoom(sample, 2.0, top, left), package_zoom(sample)
same = [torch.allclose(ours_zoomed[kind], theirs_zoomed[kind], atol=1e-5) for kind in sample]
print("equal to the package:", all(same))

# %% [markdown]
# `inverse_depth` has no default in the package: whoever writes the line has to say which of the two the files
# hold. Transforms are put around a data set by `data.Transformed(train, data.RandomFlip())`. They are for
# training only: a validation set must not change.
#
# **To think through (5 minutes).** NYUv2 has depth in metres. What has to change in `zoom`, and how would you
# check it?
#
# <details><summary>One answer</summary>
#
# The depth is divided by the scale and not multiplied. The check stays the floor: at the same row, before and
# after, it has the same depth.
#
# </details>
#
# ## 12. Real data
#
# Everything above works on real frames, because they come through the same door, `data.load`. To get them:
#
# | where | what to do |
# |---|---|
# | laptop, Cityscapes | `./data_download.sh cityscapes data/cityscapes` (needs an account at Kaggle) |
# | laptop, NYUv2 | fetch the archive by hand, then `./data_download.sh nyuv2 data/nyuv2 ARCHIVE.zip` |
# | Kaggle | add the data set `sakshaymahna/cityscapes-depth-and-segmentation` to the notebook |
# | anywhere else | set the environment variable `MTAN_DATA` to the folder |
#
# `platforms.find_data` looks for Cityscapes in these places. Keep the frames to yourself: the licences do not
# allow them to be passed on, and a picture in a notebook's output is passed on with the notebook.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
real = platforms.find_data("cityscapes")
if real is None:
    print("No real Cityscapes here; the course goes on with SynthCity.")
else:
    print("\n".join(data.check("cityscapes", real)))
    photographs = data.load("cityscapes", "train", root=real)
    print(len(photographs), "training frames from", photographs.source)

# %% [markdown]
# What is different in the real frames: void at borders and things without a class, depth with more holes and
# with noise, no normals (so the paper has two tasks on Cityscapes, and three on NYUv2), and streets that no
# program has thought of. A result on SynthCity shows that a method works as it should. It says nothing about
# the number that it reaches on Cityscapes.

# %%
for name, targets in data.KINDS.items():
    print(f"{name:<11} {', '.join(targets)}")

# %% [markdown]
# ## Summary
#
# A sample is one picture and an answer to each question at every pixel, with a mark for "no answer": −1, 0 or
# the zero vector. Streets store inverse depth, because it is what stereo measures, it is finite, and it is
# affine on planes, so that polygons and a z-buffer draw it exactly. A data set is a function from an index to
# a sample, and a transform has to change values (normal-x, inverse depth) and not only places.
#
# ## Quiz
#
# 1. A pixel has the Cityscapes id 29, a caravan. What is it among 19, among 7 and among 2 classes?
#    - a: void, void, background
#    - b: void, vehicle, foreground
#    - c: car, vehicle, foreground
#    - d: void, vehicle, background
#
#    <details><summary>Answer</summary>
#
#    **b.** It has no class of its own among the 19, but it has a category, and this category is foreground.
#
#    - a: this is what comes out if 7 and 2 classes are made from the 19 and not from the ids.
#    - c: nobody counts it as a car; what is left out of the 19 is not added to the most similar class.
#    - d: the two classes go by the category, and "vehicle" is one of the two that are foreground.
#
#    </details>
# 2. Two networks reach a pixel accuracy of 40 % with seven classes. What do you know?
#    - a: both have learned something, since guessing would give 1/7
#    - b: both are equally good
#    - c: nothing yet, since a constant answer reaches as much
#    - d: both have a mean IoU of 0.4
#
#    <details><summary>Answer</summary>
#
#    **c.** "Flat" everywhere has about this accuracy. The mean IoU would tell: there a constant has a seventh
#    of it.
#
#    - a: 1/7 would be the accuracy if all classes were equally frequent. A street is mostly street.
#    - b: one may be right only on the road, the other on a bit of everything.
#    - d: the mean IoU treats all classes alike, the accuracy all pixels; the two agree only by chance.
#
#    </details>
# 3. A car with $q = 0.185$ is 10 m away. How far away is one with $q = 0.0925$?
#    - a: 5 m
#    - b: 10.1 m
#    - c: 40 m
#    - d: 20 m
#
#    <details><summary>Answer</summary>
#
#    **d.** $1.85 / 0.0925 = 20$. Half the inverse depth is twice the distance.
#
#    - a: this takes $q$ for a depth: half the number, half the distance. It is the other way round.
#    - b: this adds the difference of the two $q$ to the metres, as if both had the same unit.
#    - c: the square is in the *error* of the metres, not in the metres.
#
#    </details>
# 4. $1 / \infty = 0$, and still no loss uses the zeros in the depth. Why?
#    - a: 0 also marks pixels whose depth nobody knows, near ones too
#    - b: the loss would divide by zero
#    - c: the sky is void, so it counts in no task
#    - d: 0 is the nearest of all depths and would count too much
#
#    <details><summary>Answer</summary>
#
#    **a.** A loss that takes 0 for an answer would teach that the holes beside near poles are infinitely far.
#
#    - b: it is $q$ that is compared, and nothing is divided by it.
#    - c: the sky has a class, number 4 among the seven. It has no depth only.
#    - d: 0 would be the *farthest*; the nearest has the largest $q$.
#
#    </details>
# 5. You flip a sample and zoom it by 1.5. Which values change, besides their places?
#    - a: none; a transform moves pixels
#    - b: the x of the normals is negated, inverse depth is divided by 1.5
#    - c: the x of the normals is negated, inverse depth is multiplied by 1.5
#    - d: the normals are negated, inverse depth is multiplied by 1.5
#
#    <details><summary>Answer</summary>
#
#    **c.** The mirror swaps right and left and nothing else, and what looks larger looks nearer.
#
#    - a: true of colours and classes only. Normals and depth speak of the view.
#    - b: depth in *metres* would be divided. Half as far away is twice the inverse depth.
#    - d: negating y too would make the road look down.
#
#    </details>
#
# Below is what you have done so far, in this chapter and in all others.

# %% tags=["nbval-ignore-output", "why:shows-progress"]
progress()

# %% [markdown]
# ## What comes next
#
# Chapter 02 builds SegNet, the network that looks at the picture and answers for every pixel.
#
# ## Sources
#
# * Cordts et al., *The Cityscapes Dataset for Semantic Urban Scene Understanding*, CVPR 2016: the ids, the
#   stereo camera, how often classes occur. https://www.cityscapes-dataset.com
# * Liu, Johns, Davison, *End-to-End Multi-Task Learning with Attention*, CVPR 2019: 2, 7 and 19 classes
#   (Table 1), inverse depth. https://arxiv.org/abs/1803.10704
# * The MTAN authors' code and files, whose folder layout we read: https://github.com/lorenmt/mtan
# * Silberman, Hoiem, Kohli, Fergus, *Indoor Segmentation and Support Inference from RGBD Images*, ECCV 2012:
#   NYUv2.
# * Lambert, *Photometria*, 1760: the cosine law of light.
