# %% [markdown]
# # 00 · Start here
#
# {{chapter_badges}}
#
# In this chapter you see the finished network of the course at work, learn what multi-task learning is for
# and what can go wrong with it, and try out how the course is meant to be used.
#
# **After this chapter you can**
#
# * say what a multi-task network gives and what it costs, in parameters and in time;
# * explain the two questions of the course, how to share and how to balance, on an example with one number;
# * read a table of published results without being led by the bold print;
# * tell where your code runs, and whether its GPU really computes.
#
# **Time:** about 40 minutes of reading, {{exercise_minutes}} minutes of exercises, one minute of computing
# on a laptop or a T4.
#
# **You need from before:** Python, a little PyTorch, and what a convolution is. Section 9 lets you check.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Start here", minutes_cpu=1, minutes_gpu=1)

# %%
import os
import time
from unittest import mock

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import FancyArrowPatch, Rectangle

from course_utils import data, models, plots
from course_utils.exercises import check, compare, progress
from course_utils.models import count_parameters
from course_utils.models.pretrained import card, pretrained

model, todo = pretrained()
facts = card()
val = data.load("synthcity", "val", size=(128, 256), classes=7, length=8)
batch = torch.utils.data.default_collate([val[index] for index in range(len(val))])
print("frames:", list(batch["image"].shape), "tasks:", ", ".join(task.name for task in todo))

# %% [markdown]
# ## 1. One network, two answers
#
# `model` is the network that you will build in this course, in a small version that comes with it, already
# trained. A street scene goes in. Two answers come out, for every pixel: *what is it* (**semantic
# segmentation**, one of seven classes) and *how near is it* (**inverse depth**, one over the distance).

# %% tags=["reached"]
with torch.no_grad():
    predictions = model(batch["image"])
figure = plots.predictions(batch["image"], batch, predictions, todo, rows=2, source=val.source)
plots.show(
    figure,
    "Two street scenes. Beside each, above the true classes and the true inverse depth, below what the "
    "network predicts, in the same colours.",
)
print(f"width {facts['width']:g} of the paper's, {facts['epochs']} epochs on {facts['length']} drawn streets")
print(f"on {facts['val_length']} validation frames:")
metrics = facts["metrics"]
print(f"mIoU {metrics['segmentation']['mean_iou']:.3f}, depth error {metrics['depth']['absolute_error']:.4f}")

# %% [markdown]
# These are the first two frames of the validation set. Nobody chose them, and the network has not been
# trained on them. The streets are drawn by the course itself (chapter 01), because photographs of real ones
# may not be passed on.
#
# The last line sums up how good the network is on more such frames:
#
# * **mean IoU** (intersection over union): for each class, the pixels that truth and prediction share,
#   divided by those that either has; then the mean over classes. 1 is perfect.
# * **depth error**: the mean distance between predicted and true inverse depth. 0 is perfect.
#
# **Predict.** Look at the figure. Where is the segmentation wrong: in the middle of large areas, at their
# borders, or on small things? And where is the depth wrong? Then let the numbers speak: the IoU of each
# class on our eight frames.

# %%
segmentation, depth = (task.metric() for task in todo)
segmentation.update(predictions["segmentation"], batch["segmentation"])
depth.update(predictions["depth"], batch["depth"])
labels = batch["segmentation"]
names = todo[0].draw.keywords["colours"].names
print("class         share of pixels    IoU")
for number, (name, iou) in enumerate(zip(names, segmentation.iou().tolist(), strict=True)):
    share = (labels == number).float().sum() / (labels >= 0).sum()
    print(f"{name:<13} {share:>15.1%}  {iou:>5.2f}")
print(f"depth error {depth.compute()['absolute_error']:.4f}")

# %% [markdown]
# Compare the two columns. Roads, trees, houses and cars are found, and their borders are rough. *Object*
# (poles, lights, signs) and *human* are not found at all: together they are fewer than two pixels in a
# hundred. A class with few pixels has a weak voice in the loss, and small things have much border for their
# area. The mean over classes counts a human as much as the whole road, and that is why mean IoU is so much
# stricter than the share of correct pixels. A car that overlooks people is useless, so this is no small
# flaw. The network is small and its training was short; chapter 06 shows what more takes.
#
# ## 2. How the exercises work
#
# This course is to be built, not only read. Three functions stand by you:
#
# | function | what it does |
# |---|---|
# | `check("name", yours)` | looks at what you have built, and says how far it is |
# | `compare("name", guess, measured)` | sets your guess against what was measured, and explains |
# | `progress()` | draws what you have done, in all chapters |
#
# The cell of an exercise holds a **stub**, a line that stands where your code belongs:
#
# ```python
# raise NotImplementedError  # your code here, in place of this line
# ```
#
# Put your code there, run the cell, and run the next one, which calls `check`. It says one of four things:
#
# | `check` says | what it means | what you do |
# |---|---|---|
# | ○ not attempted yet | the stub is still there | begin, or read on |
# | ✗ not yet, and a hint | your code runs and its result is wrong | look for what the hint names |
# | ✗ raised an error, and a line | Python stopped at this line of yours | repair the line |
# | ✓ correct | it did the right thing on all inputs that were tried | go on |
#
# Here are the first three, live: three attempts at the exercise that comes next. It asks for the share of
# pixels whose class has changed between two answers of the network.


# %%
def not_begun(before, after):
    raise NotImplementedError


def first_try(before, after):
    return (before == after).float().mean()


def second_try(before, after):
    return (before != after).average()


for attempt in (not_begun, first_try, second_try):
    check("00.changed_share", attempt)
    print()

# %% [markdown]
# A hint says what is wrong, not what to write. An error comes with the line that raised it. The fourth verdict
# is left for you.

# %% [markdown]
# {{exercise 00.changed_share}}
#
# The function gets the classes that the network has found for some frames before and after a change: two
# tensors of class numbers, of the same shape, such as [8, 128, 256]. It returns one number from 0 to 1: the
# share of all pixels whose class is another one.
#
# <details><summary>Stuck?</summary>
#
# Each of the two attempts above is half right. `before != after` is a tensor of True and False; PyTorch takes
# a mean of numbers only, and `.float()` makes 1 and 0 of them. If you want to see it all, open
# [the solutions](solutions/00_start_here.ipynb).
#
# </details>


# %%
def changed_share(before, after):
    ### BEGIN SOLUTION
    return (before != after).float().mean()
    ### END SOLUTION


# %%
changed_share = check("00.changed_share", changed_share)

# %% [markdown]
# **You cannot break anything.** Look at the last line: `check` gives something back. It is your function if
# it is correct, and the course's own if it is not. So everything below works in any case, and you may leave
# an exercise and come back. Errors, printing, even a loop without end (it is stopped after 20 seconds) stay
# inside of `check`. After a change run both cells again, yours and the check; to see your new version
# everywhere below, take *Run all below*.
#
# **When the minutes are over**, look. The folder [solutions](solutions/00_start_here.ipynb) holds every
# chapter with its exercises filled in. Many ways are right; `check` does not ask for ours.
#
# **Guesses** are the other thing to fill in. Where a cell begins with `guess = ...`, put a number or one of
# the listed words in place of the dots before you run it. A wrong guess costs nothing, and is remembered
# better than a right one.
#
# ### Change the picture
#
# Now put your function to use. We change the network's input in three ways: **flip** left and right,
# **darken** to half the brightness, **cover** a square of 32 × 32 pixels with grey.


# %%
def flip(images):
    return images.flip(-1)


def darken(images):
    return images / 2


def cover(images):
    covered = images.clone()
    covered[..., 64:96, 112:144] = 0.5
    return covered


with torch.no_grad():
    answers = {change.__name__: model(change(batch["image"])) for change in (flip, darken, cover)}
answers["flip"] = {name: answer.flip(-1) for name, answer in answers["flip"].items()}

# %% [markdown]
# **Predict.** Which change gives another class to the most pixels: `"flip"`, `"darken"` or `"cover"`? (The
# network's answer to a flipped picture is flipped back before we compare.)

# %%
### BEGIN SOLUTION
guess = "darken"
### END SOLUTION
before = predictions["segmentation"].argmax(dim=1)
after = {name: answer["segmentation"].argmax(dim=1) for name, answer in answers.items()}
shares = {name: changed_share(before, classes) for name, classes in after.items()}
compare("00.most_harm", guess, max(shares, key=shares.get))

# %% [markdown]
# **Predict.** And *inside* the covered square, whose pixels the network cannot see: how many per cent of them
# get another class?

# %%
### BEGIN SOLUTION
guess = 4
### END SOLUTION
inside = torch.zeros(128, 256, dtype=torch.bool)
inside[64:96, 112:144] = True
compare("00.covered", guess, 100 * changed_share(before[:, inside], after["cover"][:, inside]))

# %% [markdown]
# Now all the numbers. Does anything change *outside* of the square?

# %%
print("            class changed    mean IoU    depth changed by    depth error")
for name, answer in {"unchanged": predictions, **answers}.items():
    moved = changed_share(before, answer["segmentation"].argmax(dim=1))
    shift = (answer["depth"] - predictions["depth"]).abs().mean()
    segmentation, depth = (task.metric() for task in todo)
    segmentation.update(answer["segmentation"], batch["segmentation"])
    depth.update(answer["depth"], batch["depth"])
    scores = segmentation.compute()["mean_iou"], depth.compute()["absolute_error"]
    print(f"{name:<10} {moved:>14.1%}  {scores[0]:>10.3f}  {shift:>18.4f}  {scores[1]:>13.4f}")

# %%
shown = {"image": batch["image"][0]}
shown |= {change.__name__: change(batch["image"])[0] for change in (flip, darken, cover)}
for task in todo:
    for name, answer in {"unchanged": predictions, **answers}.items():
        shown[f"{task.name}, {name}"] = torch.from_numpy(task.draw(answer[task.name][0])).permute(2, 0, 1)
figure = plots.pictures(shown, columns=4, source=val.source)
plots.show(
    figure,
    "Four columns: the picture unchanged, flipped, darkened, and with a grey square in the middle. Below "
    "each picture the predicted classes and inverse depth; those of the flip are flipped back.",
)
hidden = changed_share(before[:, inside], after["cover"][:, inside])
beside = changed_share(before[:, ~inside], after["cover"][:, ~inside])
print(f"covered: class changed at {hidden:.0%} of the pixels inside the square, at {beside:.1%} outside of it")

# %% [markdown]
# How to read the table, whatever your prediction was:
#
# * **Flip.** A flipped street is as good a street. A perfect network would change nothing. Ours was never
#   shown flipped pictures, so nothing forces it to treat left and right alike; what changes tells you how
#   much it relies on the side. Here that is little. Chapter 01 builds a flip for training.
# * **Darken.** To us it is the same street. The network has seen a certain range of brightness and no other.
#   Of the three changes this one does the most harm: part of the road turns into *vehicle*.
# * **Cover.** Inside the square the network cannot know, so it must guess from around it. The square lies on
#   the road, and road is what it answers, everywhere; if there was a car, it is overlooked. And the change
#   does not stop at the border of the square: each pixel's answer is computed from a neighbourhood, the
#   **receptive field** (chapter 02).
#
# Note that one change to the picture moves *both* answers. They come out of the same features. That is the
# subject of the course.

# %% [markdown]
# ## 3. What is multi-task learning for?
#
# The plain way to get two answers is two networks. **Multi-task learning** trains one network for several
# tasks at once. There are two reasons.
#
# 1. **Cost.** What both tasks need is computed and stored once.
# 2. **Better features.** An edge of depth is often an edge between classes. A feature that has to serve both
#    tasks is less likely to be an accident of the training frames of one.
#
# We count the first and keep the second for section 6. Four candidates, at the paper's full width: two
# **single** networks; **Split**, one network up to the last layers; **MTAN**, the network of this course.
#
# **Predict.** A single SegNet has about 25 million parameters. How many million has MTAN for two tasks?

# %%
### BEGIN SOLUTION
guess = 40
### END SOLUTION
with torch.device("meta"):  # tensors with a shape and no values: nothing to store, nothing to compute
    full = {
        "single, segmentation": models.build("single", todo[:1]),
        "single, depth": models.build("single", todo[1:]),
        "Split": models.build("split", todo),
        "MTAN": models.build("mtan", todo),
    }
counts = {name: count_parameters(network) for name, network in full.items()}
compare("00.mtan_parameters", guess, counts["MTAN"] / 1e6)

# %%
two_singles = counts["single, segmentation"] + counts["single, depth"]
for name, number in {**counts, "two singles": two_singles}.items():
    print(f"{name:<21} {number:>11,} parameters, {number / counts['single, segmentation']:.2f} x one single")

# %% [markdown]
# MTAN stands between Split and two singles: 41.2 million against 49.96. With three tasks the gap is wider,
# 44.2 against 74.9 million, because a further task adds about 3 million to MTAN and 25 to the singles.
#
# Parameters are storage. Time is another matter.
#
# **Predict.** Which is fastest on one frame: two singles, Split, or MTAN? By what factor?


# %% tags=["nbval-ignore-output", "why:measures-time"]
def seconds(networks, repeats=5):
    """The shortest of several times that it takes to run all networks on one frame."""
    times = []
    with torch.no_grad():
        for _ in range(repeats):
            start = time.perf_counter()
            for network in networks:
                network(batch["image"][:1])
            times.append(time.perf_counter() - start)
    return min(times)


one, other = models.build("single", todo[:1], width=1 / 8), models.build("single", todo[1:], width=1 / 8)
split = models.build("split", todo, width=1 / 8)
for name, networks in {"two singles": [one, other], "Split": [split], "MTAN": [model]}.items():
    for network in networks:
        network.eval()
    print(f"{name:<12} {1000 * seconds(networks):.0f} ms a frame, width 1/8, on the CPU")

# %% [markdown]
# Split takes about half the time of two singles: one network instead of two. **MTAN is no faster than two
# singles**, on most machines it is slower. Its attention runs once for each task, on top of the shared
# network. Chapter 04 counts the operations. So MTAN saves storage, not time, and if it is to be worth its
# while, then by better answers.

# %% [markdown]
# ## 4. The risk: tasks that pull apart
#
# Better features are a promise, not a law. Here is the whole problem in one number. Two tasks share one
# weight $w$. Task 1 wants it to be 3, task 2 wants it to be 1:
#
# $$L_1 = (w - 3)^2, \qquad L_2 = (w - 1)^2, \qquad L = L_1 + \lambda L_2 .$$
#
# Set the derivative to zero: $2(w - 3) + 2 \lambda (w - 1) = 0$, so $w = (3 + \lambda) / (1 + \lambda)$.
#
# **Predict.** What are $w$, $L_1$ and $L_2$ for $\lambda = 1$? And for $\lambda = 9$?

# %%
for weight in (1 / 9, 1.0, 9.0):
    w = torch.tensor(0.0, requires_grad=True)
    for _ in range(50):
        total = ((w - 3) ** 2 + weight * (w - 1) ** 2) / (1 + weight)
        (gradient,) = torch.autograd.grad(total, w)
        w = (w - 0.2 * gradient).detach().requires_grad_()
    by_formula = (3 + weight) / (1 + weight)
    losses = f"L1 = {(w.item() - 3) ** 2:.2f}, L2 = {(w.item() - 1) ** 2:.2f}"
    print(f"lambda = {weight:.2f}: w = {w.item():.2f}, by formula {by_formula:.2f}; {losses}")

# %% [markdown]
# With two separate weights both losses would be 0. Shared, at least one of them suffers. Two things go wrong
# here, and they have names:
#
# * **Negative transfer**: a task is worse off than alone, because sharing forces a compromise.
# * **Domination**: the weight $\lambda$ decides who pays. With $\lambda = 9$ the second task is nearly
#   content, and the first pays nearly everything. And $\lambda$ is always there: if you write no weight, it
#   is 1, in whatever units the losses happen to have.
#
# That gives the two questions of the course:
#
# * **How to share?** Which parts belong to all tasks, and which to one?
# * **How to balance?** How much does the loss of each task count?
#
# ### The idea of MTAN, in one number
#
# MTAN's answer to the first question: share the feature, and give each task a **mask** between 0 and 1 that
# it multiplies the feature with, $\hat a_k = a_k \cdot w$. The losses become $(a_1 w - 3)^2$ and
# $(a_2 w - 1)^2$.
#
# **Predict.** Find $w$, $a_1$ and $a_2$ such that both losses are 0. Is there more than one solution?

# %%
for w, masks in {3.0: (1.0, 1 / 3), 4.0: (0.75, 0.25), 2.0: (1.0, 0.5)}.items():
    first, second = (mask * w for mask in masks)
    attended = f"attended {first:.2f} and {second:.2f}"
    losses = f"L1 = {(first - 3) ** 2:.2f}, L2 = {(second - 1) ** 2:.2f}"
    print(f"w = {w:.0f}, masks {masks[0]:.2f} and {masks[1]:.2f}: {attended}; {losses}")

# %% [markdown]
# Every $w \ge 3$ will do, with $a_1 = 3/w$ and $a_2 = 1/w$. With $w = 2$ it fails: a mask can only take away,
# so the shared feature must be strong enough for the task that wants most. The conflict is gone, and with it
# the power of $\lambda$: both losses can be 0 at once. In a real network things are not that clean. But keep
# two observations: masks can dissolve a conflict, and the height of a mask alone means nothing, since only
# $a_k \cdot w$ counts (chapter 07 comes back to it).
#
# **To think through (3 minutes).** Let task 2 want $-1$ in place of 1. Can masks between 0 and 1 still make
# both losses 0?
#
# <details><summary>One answer</summary>
#
# No: $a_1 w = 3$ needs $w > 0$, and then $a_2 w \ge 0$. The best is $a_2 = 0$, with $L_2 = 1$. A real network
# has many channels, and can keep one for each sign.
#
# </details>

# %% [markdown]
# ## 5. The map of the course
#
# Here is the network, and which chapter builds which part. In each chapter you build pieces of it, `check`
# looks at them, and you see that they do the same as those in the package `course_utils`. From then on the
# later chapters import them from there. So the package holds only what you have built.

# %%
BLUE, RED, GREY = plots.TASK_COLOURS["segmentation"], plots.TASK_COLOURS["depth"], "0.85"


def box(axis, x, y, text, colour, width=1.3, height=0.8):
    corner, look = (x - width / 2, y - height / 2), {"edgecolor": "0.25", "alpha": 0.35}
    axis.add_patch(Rectangle(corner, width, height, facecolor=colour, **look))
    axis.text(x, y, text, ha="center", va="center", fontsize=9)


def arrow(axis, start, end):
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color="0.25"))


def chapter(axis, x, y, number):
    style = {"boxstyle": "circle,pad=0.25", "facecolor": "black", "edgecolor": "black"}
    axis.text(x, y, number, ha="center", va="center", color="white", fontsize=9, weight="bold", bbox=style)


# %%
def draw_network(axis):
    """The shared SegNet in grey, and above and below it the masks of the two tasks at its ten blocks."""
    heights = [2.0, 1.6, 1.2, 0.9, 0.6]
    for j, height in enumerate([*heights, *reversed(heights)]):
        x = 2.4 + 0.55 * j
        for side, colour in ((1, BLUE), (-1, RED)):
            axis.plot([x, x], [0, 1.54 * side], color="0.25", linewidth=0.8, zorder=0)
            box(axis, x, 1.7 * side, "", colour, width=0.32, height=0.32)
        axis.add_patch(Rectangle((x - 0.18, -height / 2), 0.36, height, facecolor=GREY, edgecolor="0.25"))
    arrow(axis, (1.5, 0), (2.15, 0))
    arrow(axis, (7.6, 1.7), (8.15, 1.4))
    arrow(axis, (7.6, -1.7), (8.15, -1.4))
    axis.text(4.87, 2.05, "masks: what segmentation takes", ha="center", fontsize=9)
    axis.text(4.87, -2.25, "masks: what depth takes", ha="center", fontsize=9)
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axis.text(4.87, 0.95, "shared network", ha="center", va="center", fontsize=9, bbox=white)


def draw_losses(axis):
    """From each task's answer to its loss, to one sum, and the gradients back."""
    for y, colour, answer in ((1.35, BLUE, "classes"), (-1.35, RED, "inverse\ndepth")):
        box(axis, 8.85, y, answer, colour)
        box(axis, 10.6, y, "loss\nmetric", colour)
        arrow(axis, (9.5, y), (9.95, y))
        arrow(axis, (10.6, y * 0.7), (10.6, y * 0.27))
    box(axis, 10.6, 0, "weighted sum", "white", width=1.6, height=0.7)
    axis.plot([11.4, 11.75, 11.75, 2.4], [0, 0, -2.7, -2.7], color="0.25", linewidth=1)
    arrow(axis, (2.4, -2.7), (2.4, -2.0))
    axis.text(7.2, -3.05, "gradients train everything at once", ha="center", fontsize=9)


# %%
figure, axis = plt.subplots(figsize=(9.8, 4.4), layout="constrained")
draw_network(axis)
draw_losses(axis)
box(axis, 0.8, 0, "street\nscene", "white")
places = [(0.8, 0.7, "01"), (4.87, 0.55, "02"), (9.72, 1.95, "03"), (2.0, 2.1, "04"), (11.4, 0.6, "05"),
          (9.6, -3.0, "06"), (7.75, 2.1, "07")]  # fmt: skip
for place in places:
    chapter(axis, *place)
axis.set(xlim=(0, 11.9), ylim=(-3.35, 2.45), aspect="equal")
axis.set_axis_off()
plots.show(
    figure,
    "The network of the course with the numbers of the chapters: a street scene (01) enters a shared "
    "encoder-decoder (02); above and below it ten masks for each task (04, looked at in 07) lead to classes "
    "and inverse depth with their losses and metrics (03); the losses meet in a weighted sum (05), whose "
    "gradients train everything (06).",
)
print("chapters on the map:", ", ".join(sorted(number for *_, number in places)))

# %% [markdown]
# Minutes of reading, of exercises, and of computing on a laptop:
#
# | chapter | you build | read | build | run |
# |---|---|---|---|---|
# | 00 Start here (this one) | a try-out, and the test whether a GPU computes | 40 | 7 | 1 |
# | [01 The data set](01_data_set.ipynb) | class tables, depth, normals, a drawn street | 60 | 58 | 1 |
# | [02 SegNet](02_segnet.ipynb) | encoder, decoder, pooling with indices, a first training | 40 | 68 | 1 |
# | [03 Two tasks](03_two_tasks.ipynb) | losses, metrics, one network with two heads | 50 | 79 | 1 |
# | [04 Attention](04_attention.ipynb) | the attention module, and MTAN as a whole | 60 | 99 | 1 |
# | [05 Weighting](05_weighting.ipynb) | equal weights, dynamic weight averaging, uncertainty | 35 | 45 | 1 |
# | [06 Training MTAN](06_training.ipynb) | the training loop, checkpoints, the paper's recipe | 45 | 58 | 1 |
# | [07 Attention masks](07_attention_masks.ipynb) | pictures and measures of masks, ablation | 50 | 62 | 1 |
#
# That is an evening for each chapter. If you read, guess and run, and leave the exercises, you need half of the
# time and still see every result.
#
# "How to share" is the subject of chapters 02 to 04, "how to balance" of 05. Take them in order; each one
# runs alone.

# %% [markdown]
# ## 6. What MTAN has been shown to do
#
# MTAN comes from a paper (Liu, Johns and Davison, CVPR 2019). Before you spend a week on a method, read its
# results as its opponent would. The paper's tables hold many metrics, some better when high, some when low.
# To compare methods we need one number. The usual one is the mean relative gain over the single-task
# networks, first over the metrics of a task, then over the tasks:
#
# $$\Delta_m = \frac{1}{K} \sum_{k=1}^{K} \frac{1}{M_k} \sum_{i=1}^{M_k} s_i \, \frac{m_i - b_i}{b_i}, \qquad
#   s_i = \begin{cases} +1 & \text{higher is better} \\ -1 & \text{lower is better} \end{cases}$$
#
# with $m_i$ the method's metric $i$ and $b_i$ that of the single-task network. The inner mean sees to it that
# a task with five metrics counts no more than one with two.
#
# The part behind the sums is yours.

# %% [markdown]
# {{exercise 00.relative_gain}}
#
# The function gets one metric of a method, the same metric of the single-task network (the **baseline**), and
# whether higher is better: True for an IoU, False for an error. It returns by how many per cent the method is
# better than the baseline, as a plain number; negative where it is worse.
#
# By hand: mean IoU goes from 50 to 51, a gain of 2 %. Depth error goes from 0.020 to 0.019, a gain of 5 %.


# %%
def relative_gain(metric, baseline, higher_is_better):
    ### BEGIN SOLUTION
    change = 100 * (metric - baseline) / baseline
    return change if higher_is_better else -change
    ### END SOLUTION


# %%
relative_gain = check("00.relative_gain", relative_gain)

# %% [markdown]
# **Predict.** What is $\Delta_m$ over these two tasks, with one metric each?


# %%
def task_gain(method, baseline, higher):
    """The mean relative gain over the metrics of one task, in per cent."""
    gains = [relative_gain(m, b, up) for m, b, up in zip(method, baseline, higher, strict=True)]
    return sum(gains) / len(gains)


def mean_gain(method, baseline, higher):
    """The mean over the tasks."""
    by_task = [task_gain(*task) for task in zip(method, baseline, higher, strict=True)]
    return sum(by_task) / len(by_task)


print(f"by hand: {mean_gain([[51], [0.019]], [[50], [0.020]], [[True], [False]]):.1f} %")

# %% [markdown]
# Now the published numbers, with equal weights for every multi-task method. Cityscapes: (mean IoU, pixel
# accuracy), (absolute, relative depth error), from the paper's Table 2. NYUv2, indoor scenes with three
# tasks: the same, and for the surface normals the mean and median angle and the shares within 11.25, 22.5
# and 30 degrees, from Table 3.

# %%
cityscapes = {
    "one network per task": ((51.09, 90.69), (0.0158, 34.17)),
    "STAN (attention, one task)": ((51.90, 90.87), (0.0145, 27.46)),
    "Split, wide": ((50.17, 90.63), (0.0167, 44.73)),
    "Cross-Stitch": ((50.08, 90.33), (0.0154, 34.49)),
    "Dense": ((51.91, 90.89), (0.0138, 27.21)),
    "MTAN": ((53.04, 91.11), (0.0144, 33.63)),
}
nyuv2 = {
    "one network per task": ((15.10, 51.54), (0.7508, 0.3266), (31.76, 25.51, 22.12, 45.33, 57.13)),
    "STAN (attention, one task)": ((15.73, 52.89), (0.6935, 0.2891), (32.09, 26.32, 21.49, 44.38, 56.51)),
    "Split, wide": ((15.89, 51.19), (0.6494, 0.2804), (33.69, 28.91, 18.54, 39.91, 52.02)),
    "Cross-Stitch": ((14.71, 50.23), (0.6481, 0.2871), (33.56, 28.58, 20.08, 40.54, 51.97)),
    "Dense": ((16.06, 52.73), (0.6488, 0.2871), (33.58, 28.01, 20.07, 41.50, 53.35)),
    "MTAN": ((17.72, 55.32), (0.5906, 0.2577), (31.44, 25.37, 23.17, 45.65, 57.48)),
}
published = {"Cityscapes": cityscapes, "NYUv2": nyuv2}
higher = {
    "Cityscapes": ((True, True), (False, False)),
    "NYUv2": ((True, True), (False, False), (False, False, True, True, True)),
}

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.6), layout="constrained", sharey=True)
for axis, (name, rows) in zip(axes, published.items(), strict=True):
    baseline, *others = rows
    gains = {method: mean_gain(rows[method], rows[baseline], higher[name]) for method in others}
    colours = [plots.OKABE_ITO["blue"] if method == "MTAN" else "0.7" for method in others]
    axis.bar_label(axis.barh(others, gains.values(), color=colours), fmt="%+.1f", padding=3)
    axis.axvline(0, color="0.3", linewidth=0.8)
    axis.set(title=name, xlabel=r"mean gain over single networks, $\Delta_m$ (%)", xlim=(-14, 16))
    best = max(gains, key=gains.get)
    print(f"{name:<10} best is {best}: {gains[best]:+.1f} %; MTAN: {gains['MTAN']:+.1f} %")
axes[0].invert_yaxis()
plots.show(
    figure,
    "Bars of the mean gain over single networks. Cityscapes: STAN +7.4, Split wide -9.6, Cross-Stitch -0.2, "
    "Dense +8.7, MTAN +3.7. NYUv2: STAN +3.6, Split wide +1.6, Cross-Stitch +0.3, Dense +3.1, MTAN +11.7.",
)

# %% [markdown]
# The paper trains each network under three weightings (chapter 05). Are the bars a matter of luck with one
# of them? And on NYUv2, which of the three tasks brings the gain?

# %%
weighted = {
    ("Cityscapes", "MTAN"): [((53.86, 91.10), (0.0144, 35.72)), ((53.29, 91.09), (0.0144, 34.14))],
    ("Cityscapes", "Dense"): [((51.89, 91.22), (0.0134, 25.36)), ((51.78, 90.88), (0.0137, 26.67))],
    ("NYUv2", "MTAN"): [
        ((17.67, 55.61), (0.5927, 0.2592), (31.25, 25.57, 22.99, 45.83, 57.67)),
        ((17.15, 54.97), (0.5956, 0.2569), (31.60, 25.46, 22.48, 44.86, 57.24)),
    ],
}
print("                     equal  uncertainty    DWA")
for (name, method), runs in weighted.items():
    baseline = published[name]["one network per task"]
    row = [mean_gain(run, baseline, higher[name]) for run in (published[name][method], *runs)]
    print(f"{name:<10}  {method:<6} {row[0]:>+7.1f} {row[1]:>+12.1f} {row[2]:>+6.1f}")
by_task = zip(nyuv2["MTAN"], nyuv2["one network per task"], higher["NYUv2"], strict=True)
gains = ", ".join(f"{task_gain(*numbers):+.1f}" for numbers in by_task)
print("NYUv2, MTAN, equal weights: segmentation, depth, normals:", gains)

# %% [markdown]
# Read it honestly:
#
# * **NYUv2, three tasks: MTAN is best**, under all three weightings, with 1.77 times the parameters of one
#   network, where Dense has nearly five times. Segmentation and depth gain much; the normals gain next to
#   nothing, but with the other methods they lose.
# * **Cityscapes, two tasks: MTAN is not best.** Dense gains more than twice as much, under each weighting.
#   STAN, which is MTAN's attention with *one* task at a time, gains about twice as much. MTAN does lead in
#   mean IoU, and Dense has 2.2 times its parameters.
# * **Negative transfer is real.** "Split, wide", plain sharing, is *worse* than single networks on
#   Cityscapes.
# * Each number is one run. Nobody knows how far a second one would be off.
#
# So the fair sentence is: MTAN shares much better than plain sharing, at few parameters, and does best where
# there are more tasks. It is not the best network for everything. You will be able to check what you can of
# this by yourself.
#
# **To think through (4 minutes).** A sum over metrics is a choice, too. Take the plain mean over all nine
# metrics of NYUv2 in place of the mean over tasks. Does the order of the methods change?
#
# <details><summary>One answer</summary>
#
# ```python
# flat = lambda row: [[number for task in row for number in task]]
# for method in list(nyuv2)[1:]:
#     row = [flat(numbers) for numbers in (nyuv2[method], nyuv2["one network per task"], higher["NYUv2"])]
#     print(f"{method:<28} {mean_gain(*row):+.1f}")
# ```
#
# The five metrics of the normals now weigh more than half. MTAN falls to +8.3 and stays first; STAN with
# +1.7 is second, and all others fall below zero. So a method can be "better than single networks" or "worse"
# by the choice of the mean. Look which one a paper has taken.
#
# </details>

# %% [markdown]
# ## 7. Where you run
#
# The first cell of each chapter printed where it runs. The course knows three places:
#
# | place | what you get | to know |
# |---|---|---|
# | **your laptop** | every chapter in a minute or two, on the CPU | no download, no data set needed |
# | **Colab** | a T4 GPU | the session can vanish; keep checkpoints (chapter 06) |
# | **Kaggle** | two T4 or a P100, 30 hours a week | real Cityscapes can be attached to the notebook |
#
# There are two sizes of a run. **quick**: drawn streets, a small network, seconds to a minute. **paper**:
# real Cityscapes, full width, the paper's recipe, hours to days on a GPU. The rule is short: *paper* needs a
# GPU that computes and the real data; and whoever sets the environment variable `MTAN_RUN` to `quick` or
# `paper` has the last word.


# %%
def choose(wanted, gpu_computes, has_cityscapes):
    if wanted is not None:
        return wanted
    return "paper" if gpu_computes and has_cityscapes else "quick"


print("MTAN_RUN   GPU    Cityscapes  run")
for case in [(None, False, False), (None, True, False), (None, True, True), ("quick", True, True)]:
    print(f"{case[0]!s:<9}  {case[1]!s:<5}  {case[2]!s:<10}  {choose(*case)}")

for wanted in ("quick", "paper"):
    with mock.patch.dict(os.environ, MTAN_RUN=wanted):  # as if it were set outside
        print(f"the package, with MTAN_RUN={wanted}: {platforms.run_size()}")

# %% [markdown]
# A wrong value is refused, with a message that says what was found and what is expected. All errors of the
# course are meant to be read:

# %% tags=["raises-exception"]
with mock.patch.dict(os.environ, MTAN_RUN="fast"):
    platforms.run_size()

# %% [markdown]
# ### Does the GPU compute?
#
# Kaggle's P100 is a trap: `torch.cuda.is_available()` says True, and the first real operation fails, because
# today's PyTorch no longer holds code for that chip. So the only honest test is to **try an operation and
# read its result**. Reading matters: a GPU works behind the program's back, and an error shows only when
# somebody waits for the number.
#
# We need an example of a device that is visible and does not compute. PyTorch has one, `meta`: its tensors
# have shapes but no values. We used it in section 3 to count parameters.
#
# **Predict.** On `meta`, which is the first of these to fail: making a `"tensor"`, a `"convolution"`, its
# `"gradient"`, or reading a `"number"`?


# %%
def first_failure(device):
    """Which of four steps is the first one that fails on a device."""
    step = "tensor"
    try:
        images = torch.ones(1, 1, 4, 4, device=device)
        weights = torch.ones(1, 1, 3, 3, device=device, requires_grad=True)
        step = "convolution"
        total = torch.nn.functional.conv2d(images, weights).sum()
        step = "gradient"
        total.backward()
        step = "number"
        weights.grad.sum().item()
    except RuntimeError:
        return step
    return "none"


# %%
### BEGIN SOLUTION
guess = "number"
### END SOLUTION
compare("00.meta_fails", guess, first_failure("meta"))

# %% [markdown]
# So the test must read a number, and must know which number is right:


# %%
def computes(device):
    """Whether a convolution, forward and backward, gives the right number there."""
    try:
        images = torch.ones(1, 1, 4, 4, device=device)
        weights = torch.ones(1, 1, 3, 3, device=device, requires_grad=True)
        torch.nn.functional.conv2d(images, weights).sum().backward()
        return weights.grad.sum().item() == 36
    except RuntimeError:
        return False


weights = torch.ones(1, 1, 3, 3, device="meta", requires_grad=True)
convolved = torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4, device="meta"), weights)
convolved.sum().backward()
print("meta: the convolution and its gradient have shapes", list(convolved.shape), list(weights.grad.shape))
print("meta computes:", computes("meta"))
print("cpu computes: ", computes("cpu"))

# %% [markdown]
# Everything seems to work until somebody reads the result. By hand, why 36? The output has 2 × 2 pixels, and
# each of the 9 weights meets a 1 in each of them: every weight has gradient 4, and $9 \cdot 4 = 36$.
#
# `platforms.usable_gpu()` is this test, with a line that says what it found. On your machine:

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
usable, why = platforms.usable_gpu()
print(f"usable: {usable} ({why})")
print(f"place: {platform.name}, device: {platform.device}, CPU cores: {platform.cpu_count}")

# %% [markdown]
# ## 8. How to work with a chapter
#
# 1. **Predict.** Wherever it says so, stop and commit yourself: in the cell where it begins with
#    `guess = ...`, on paper elsewhere. A wrong prediction is where learning happens; reading on is where it
#    does not.
# 2. **Run** the cell, and compare. The explanation stands after the cell.
# 3. **Check by hand.** Every new piece is tried on tensors of 2 × 2 or 4 × 4 pixels first. Take paper.
# 4. **Build.** Exercises have their minutes beside them. Try for that long; read the hint of `check`, unfold
#    *Stuck?* where there is one, and then open the solutions. Nothing below needs yours to be finished.
# 5. **Think through.** Questions without code have their minutes, too, and an answer folded below.
# 6. **The quiz** at the end: choose, then unfold. The answer also says what is wrong with the other choices.
#
# ### What is kept
#
# Your code lies in the notebook: save it. On Colab take *File → Save a copy in Drive* first, on Kaggle
# *Copy & Edit*; else it is gone with the session.
#
# What you have done lies in a small file, `mtan_progress.json`. `check` and `compare` write it, `progress()`
# draws it, and it knows all chapters, also after a restart. It holds the names of exercises and guesses with
# "tried" or "done", and nothing else.
#
# | place | where the file lies |
# |---|---|
# | your laptop | in your home folder |
# | Colab | in your Drive if you have mounted it; else it is gone with the session |
# | Kaggle | in `/kaggle/working`, with the files of your notebook |
#
# The environment variable `MTAN_PROGRESS` names another file; set to nothing, none is kept. **To start
# anew**, delete the file and restart the kernel. What was correct once stays so, even if you change your code
# later; only the verdict below the cell changes.
#
# ### What the chapters work on
#
# Everything is drawn from one kind of object, the **sample**: a dict of tensors. All data sets of the course
# give it, all tasks read it.
#
# **Predict.** Which of these tensors has no channel dimension, and why?

# %%
sample = val[0]
for key, value in sample.items():
    low, high = value.min().item(), value.max().item()
    print(f"{key:<13} {list(value.shape)!s:<15} {str(value.dtype):<14} from {low:.2f} to {high:.2f}")

# %% [markdown]
# `segmentation` holds one class *number* for each pixel, so it needs no channels; $-1$ is **void**, a pixel
# that counts in no loss and no metric. In `depth` a 0 means that nothing was measured there, and it counts as
# little.
#
# **The printed outputs are checked.** Each chapter was run, and its outputs are stored. An automatic check
# runs it again and compares every output word by word, but for the few cells that show your machine or
# measure time. So what you read is what the code does. If your numbers differ in the last digit, that is
# rounding. If they differ more, look for what you changed; *Restart and run all* goes back to the start.

# %% [markdown]
# ## 9. What you need to know
#
# Three questions. If you can answer them, you are ready.
#
# 1. `nn.Conv2d(3, 8, kernel_size=3, padding=1)` is given a tensor of shape [2, 3, 64, 128]. What is the shape
#    of the output, and how many parameters has the layer?
#    <details><summary>Answer</summary>
#
#    [2, 8, 64, 128]: the padding keeps height and width. $8 \cdot 3 \cdot 3 \cdot 3 + 8 = 224$ parameters.
#    If you forgot the 8 biases, that is fine.
#
#    </details>
# 2. Which line of a training step changes the weights: `loss.backward()` or `optimizer.step()`? What does the
#    other one do?
#    <details><summary>Answer</summary>
#
#    `optimizer.step()`. `backward()` computes the gradients and stores them in `.grad`, where they *add up*
#    until `optimizer.zero_grad()`.
#
#    </details>
# 3. A network with batch normalisation gives two different answers for the same picture, one after
#    `model.train()`, one after `model.eval()`. Why?
#    <details><summary>Answer</summary>
#
#    In training mode the normalisation uses mean and variance of the batch, in evaluation mode the running
#    averages that it has collected in training.
#
#    </details>
#
# If two of them are foreign to you, take any introduction to PyTorch first, up to a small convolutional
# network on images. If only one is, go on; the chapters explain each thing once more where it is used.

# %%
layer = torch.nn.Conv2d(3, 8, kernel_size=3, padding=1)
print(list(layer(torch.zeros(2, 3, 64, 128)).shape), count_parameters(layer), "parameters")

# %% [markdown]
# ## Summary
#
# One network can give several answers, and MTAN does so with 1.65 times the parameters of one single-task
# network for two tasks, though not faster. Sharing can help a task or harm it, so two questions decide: how
# to share, and how to balance. MTAN answers the first one with masks, and its published results are best on
# NYUv2 and not best on Cityscapes.
#
# ## Quiz
#
# 1. A colleague says: "We take MTAN because it is faster than two networks." What do you answer?
#
#    * a) Right: it has fewer parameters, so it computes less.
#    * b) No: it saves parameters, but its attention runs once for each task.
#    * c) Right: what is shared is computed only once.
#    * d) No: it has more parameters than two networks.
#
#    <details><summary>Answer</summary>
#
#    **b.** 41.2 million parameters against 50, and no less time; Split would be faster. a: parameters are
#    storage; the same one can be used many times. c: the shared part is, but the masks of each task come on
#    top. d: it has fewer.
#
#    </details>
# 2. How do you show that your network suffers from negative transfer?
#
#    * a) One of its two tasks has a low metric.
#    * b) One loss rises while the other falls.
#    * c) The gradients of the two tasks point in different directions.
#    * d) A single network of the same size, trained in the same way, is better at one of the tasks.
#
#    <details><summary>Answer</summary>
#
#    **d.** Negative transfer means worse *than alone*, so it takes the network alone to compare with. a: the
#    task may be hard. b: the other loss might rise alone, too. c: that is a likely cause, not the effect;
#    tasks may pull apart and both gain.
#
#    </details>
# 3. You write `total = loss_1 + loss_2`. Have you avoided the question of balance?
#
#    * a) No: this answers it with 1 and 1, in whatever units the two losses have.
#    * b) Yes: without weights no task is preferred.
#    * c) Yes: the optimizer sees to the balance.
#    * d) No: without weights the gradient is not defined.
#
#    <details><summary>Answer</summary>
#
#    **a.** Change the unit of one loss, and another task rules. b: a weight of 1 is a weight. c: the
#    optimizer follows the gradient of the total, whatever stands in it. d: it is, as with any weights.
#
#    </details>
# 4. A method is 2 % better in mean IoU, and its depth error is 4 % larger than that of single networks. What
#    is its $\Delta_m$ over these two?
#
#    * a) $+3$ %
#    * b) $+1$ %
#    * c) $-1$ %
#    * d) $-2$ %
#
#    <details><summary>Answer</summary>
#
#    **c.** $(2 - 4) / 2 = -1$ %: a larger error is a loss. a: counts the larger error as a gain. b: has both
#    signs turned. d: has the sum in place of the mean.
#
#    </details>
# 5. `torch.cuda.is_available()` is True. May you start your training?
#
#    * a) Yes: that is what the function is for.
#    * b) Try an operation first, and read its result.
#    * c) Make a tensor on the GPU; if that succeeds, yes.
#    * d) Only if the GPU is a T4.
#
#    <details><summary>Answer</summary>
#
#    **b.** A GPU works behind the program's back; only a number that was read, and is right, shows that it
#    computes. a: it says that a GPU is visible, not that this PyTorch holds code for it. c: memory is not
#    computing; think of `meta`. d: many other GPUs compute.
#
#    </details>
#
# And this is the record of what you have done, over all chapters (the first three attempts in section 2 count
# as tried):

# %% tags=["nbval-ignore-output", "why:shows-progress"]
progress()

# %% [markdown]
# ## What comes next
#
# [Chapter 01](01_data_set.ipynb) builds what everything else feeds on: the pictures and their three targets.
#
# ## Sources
#
# * S. Liu, E. Johns, A. J. Davison: *End-to-End Multi-Task Learning with Attention*, CVPR 2019, Tables 2 and
#   3: https://arxiv.org/abs/1803.10704; the authors' code: https://github.com/lorenmt/mtan
# * The data set Cityscapes: https://www.cityscapes-dataset.com
# * On the mean relative gain: K.-K. Maninis, I. Radosavovic, I. Kokkinos, *Attentive Single-Tasking of
#   Multiple Tasks*, CVPR 2019.
