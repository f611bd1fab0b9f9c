# %% [markdown]
# # 03 · Two tasks
#
# {{chapter_badges}}
#
# In this chapter you build what a task is made of, its loss and its metric, and then let two tasks share
# one network down to the last layer.
#
# **After this chapter you can**
#
# * write the losses of segmentation, depth and surface normals so that they survive any missing pixel;
# * compute mean IoU from a confusion matrix by hand, and say why it must be pooled over all pixels;
# * build a network with hard parameter sharing and count what a second task costs;
# * measure at the shared weights how strongly two tasks pull, and whether they pull the same way.
#
# **Time:** about 50 minutes of reading, {{exercise_minutes}} minutes of exercises, one minute of computing on a laptop,
# about 20 minutes on a T4 with real Cityscapes.
#
# **You need from before:** the samples of chapter 01 (image, labels, depth, normals) and the encoder,
# decoder and head of chapter 02.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Two tasks", minutes_cpu=1, minutes_gpu=20)

# %%
import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

from course_utils import data, losses, metrics, models, plots, tasks
from course_utils.exercises import check, compare, progress
from course_utils.labels import VOID, label_set
from course_utils.models import count_parameters
from course_utils.models.segnet import Decoder, Encoder, Head, SegNet, filters_at, initialise
from course_utils.sliders import sliders

plt.rcParams.update(plots.STYLE)

torch.manual_seed(0)
print("void is class", VOID)

# %% [markdown]
# ## 1. Three losses, and the pixels that do not count
#
# A **task** is one thing that we predict for every pixel. Here are three of them, as chapter 01 left them.

# %%
pictured = data.load("synthcity", "train", size=(128, 256), classes=7, length=2)
all_tasks = [tasks.segmentation(7), tasks.depth(), tasks.normals()]
figure = plots.samples(pictured, all_tasks, rows=1)
sample = pictured[0]
missing = {
    "segmentation": sample["segmentation"] == VOID,
    "depth": sample["depth"] == 0,
    "normals": sample["normals"].square().sum(dim=0) == 0,
}
for name, pixels in missing.items():
    print(f"{name:<13} no truth at {100 * pixels.float().mean():.0f} % of the pixels")
plots.show(
    figure,
    "A drawn street scene and, beside it, its class map, its depth and its surface normals. In all "
    "three the own car at the lower edge is black; in depth and normals the sky is black too.",
)

# %% [markdown]
# Black is where there is no truth: the own car, the sky, holes that a stereo camera leaves. A pixel without
# truth is called **void** in segmentation (class −1) and **invalid** in the other two (depth 0, or a normal
# of length 0). The first rule of all three losses is therefore the same: *average over the valid pixels
# only*. With $V$ the set of valid pixels, $e_p$ the error at pixel $p$, and all frames of a batch together:
#
# $$\mathcal{L} = \frac{1}{|V|} \sum_{p \in V} e_p$$
#
# Written down in haste, this is a sum over the masked errors divided by the number of valid pixels.


# %%
def hasty_mean(errors, valid):
    return (errors * valid).sum() / valid.sum()


# %% [markdown]
# **Predict.** Somewhere in a long training there is a batch without a single valid pixel. What does
# `hasty_mean` say then: `"zero"`, `"nan"` (not a number), `"infinite"` or `"error"` (the program stops)?
# Write your guess into the first line, then run the cell.

# %%
### BEGIN SOLUTION
guess = "nan"
### END SOLUTION
errors = torch.tensor([0.3, 0.1, 0.2, 0.4], requires_grad=True)
nothing = torch.zeros(4, dtype=torch.bool)
loss = hasty_mean(errors, nothing)
found = {"zero": loss == 0, "nan": loss.isnan(), "infinite": loss.isinf()}
compare("03.empty_batch", guess, next(name for name, is_so in found.items() if is_so))

# %%
loss = hasty_mean(errors, nothing)
(gradient,) = torch.autograd.grad(loss, errors)
print("loss    ", loss.item())
print("gradient", gradient)

# %% [markdown]
# 0 / 0 is **nan**. One step with such a gradient turns every weight of the network into nan, and nothing
# ever brings it back. The released code of the paper divides like this.
#
# There is a second trap in the same line. Masking by multiplication trusts that $0 \cdot x = 0$, which is
# not so when $x$ is infinite. A network that is still wild can predict an infinity at a pixel that nobody
# asked about.

# %% [markdown]
# {{exercise 03.mean_over_valid}}
#
# Write the mean so that it falls into neither trap. `errors` holds numbers and `valid` True or False, both of
# the same shape, whatever it is. The result is one number, a tensor of shape []. Two corners:
#
# * Where nothing is valid, the result is 0, and so is its gradient.
# * What stands at an invalid pixel, be it infinite, reaches neither the result nor its gradient.
#
# <details><summary>Stuck?</summary>
#
# The first corner sits below the fraction line: which number may stand there at the least? For the second,
# look at `torch.where`, or at what a tensor of True and False does as an index. Our version is in the
# [solutions](solutions/03_two_tasks.ipynb).
#
# </details>


# %%
def mean_over_valid(errors, valid):
    ### BEGIN SOLUTION
    # Select where one would multiply, and never divide by less than one.
    return torch.where(valid, errors, 0.0).sum() / valid.sum().clamp(min=1)
    ### END SOLUTION


# %%
mean_over_valid = check("03.mean_over_valid", mean_over_valid)

# %%
errors = torch.tensor([0.3, 0.1, 0.2, float("inf")], requires_grad=True)
three = torch.tensor([True, True, True, False])
for name, valid in {"three valid": three, "nothing valid": nothing}.items():
    loss = mean_over_valid(errors, valid)
    (gradient,) = torch.autograd.grad(loss, errors)
    print(f"{name:<14} loss {loss:.1f}, gradient {gradient.numpy().round(2)}")
print("hasty, with an infinity at the invalid pixel:", hasty_mean(errors, three).item())

# %% [markdown]
# With nothing to learn from, the loss is 0 and its gradient is 0: this batch simply does not speak. What
# matters here: *select* the valid errors, do not multiply the others by 0, and never divide by less than one.
# All three losses below end in this mean, and you may call it in each of them.
#
# ### Depth: L1
#
# The error of a depth is its absolute difference from the truth. Street scenes hold **inverse depth**,
# where 0 is infinitely far away.
#
# $$\mathcal{L}_{\text{depth}} = \frac{1}{|V|} \sum_{p \in V} |\hat d_p - d_p|, \qquad
#   V = \{p : d_p \neq 0\}$$
#
# A frame of 2×2 pixels, to be done on paper first:
#
# | truth | prediction | error |
# |---|---|---|
# | 0.2, 0.1 | 0.1, 0.1 | 0.1, 0 |
# | 0.4, 0 | 0.3, 0.5 | 0.1, *invalid* |
#
# **Predict.** The loss; and the gradient at each of the four pixels.

# %% [markdown]
# {{exercise 03.l1}}
#
# Write the loss. Prediction and target have the shape [B, 1, H, W], and a target of 0 means: no truth here. A
# prediction may be anything, also 0 or less. The two corners of `mean_over_valid` hold here, too.


# %%
def l1(prediction, target):
    ### BEGIN SOLUTION
    return mean_over_valid((prediction - target).abs(), valid=target != 0)
    ### END SOLUTION


# %%
l1 = check("03.l1", l1)

# %%
depth_truth = torch.tensor([[[[0.2, 0.1], [0.4, 0.0]]]])  # [B, 1, H, W] = [1, 1, 2, 2]
depth_guess = torch.tensor([[[[0.1, 0.1], [0.3, 0.5]]]], requires_grad=True)
loss = l1(depth_guess, depth_truth)
(gradient,) = torch.autograd.grad(loss, depth_guess)
print(f"loss {loss:.4f}, by hand 0.2 / 3 = {0.2 / 3:.4f}")
print("gradient\n", gradient[0, 0].numpy().round(3))

# %% [markdown]
# The gradient at a wrong pixel is $\pm 1 / |V|$, however wrong it is. L1 gives no extra push to large
# errors, as a square would: that makes it deaf to the wild outliers that stereo depth is full of. It also
# means that its gradient does *not* fade as the prediction gets better. Keep this in mind for section 7.
#
# ### What a mask is good for
#
# Take a frame of which we know the depth, and a network whose answer is 30 % too large wherever there is a
# truth. Now let more and more pixels become void, at random. The network stays as good as it is. Three
# losses watch it: the mean over the valid pixels (ours), the mean over all pixels without any mask, and a
# common mixture of the two, the sum over the valid pixels divided by the number of *all*.
#
# **Predict.** Which of the three falls, which rises, and which stays as it is?

# %%
known = pictured[0]["depth"].unsqueeze(0)  # [1, 1, H, W]
typical = known[known != 0].mean()
guessed_depth = torch.where(known != 0, 1.3 * known, typical)  # where nobody knows, it says something typical
turn = torch.rand(known.shape, generator=torch.Generator().manual_seed(0))  # a pixel is lost when its turn comes


def losses_without(lost):
    """Share of void pixels, then the loss over the valid ones, without a mask, and divided by all."""
    truth = torch.where(turn < lost, 0.0, known)
    errors, valid = (guessed_depth - truth).abs(), truth != 0
    of_valid = l1(guessed_depth, truth)
    return torch.stack([1 - valid.float().mean(), of_valid, errors.mean(), of_valid * valid.float().mean()])


# %%
def draw_void(lost=0.3):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.8, 2.9), layout="constrained", width_ratios=(3, 2))
    errors = (guessed_depth - known).abs().masked_fill((turn < lost) | (known == 0), math.nan)
    shown = left.imshow(errors[0, 0], cmap="YlOrBr", vmin=0, vmax=0.1, interpolation="nearest")
    left.set_facecolor("black")
    left.set(xticks=[], yticks=[], title="error of the depth; black: void")
    figure.colorbar(shown, ax=left, label="inverse depth", shrink=0.7)
    curves = torch.stack([losses_without(share) for share in torch.linspace(0, 0.98, 25)])
    here = losses_without(lost)
    for column, (name, style) in enumerate({"valid pixels": "-", "no mask": "--", "divided by all": ":"}.items(), 1):
        right.plot(curves[:, 0], curves[:, column], style, color="black", label=name)
        right.plot(here[0], here[column], "o", color="black")
    right.set(xlabel="share of void pixels", ylabel="L1 (inverse depth)", xlim=(0, 1.03), ylim=(-0.005, None))
    right.legend(frameon=False, fontsize=9)
    figure.supxlabel(pictured.source, fontsize=9, color="0.4")
    print(f"{here[0]:.0%} void: valid pixels {here[1]:.3f}, no mask {here[2]:.3f}, divided by all {here[3]:.3f}")
    plots.show(
        figure,
        "Left the depth errors of a street scene with black dots where pixels are void. Right three losses "
        "against the share of void pixels: that of the valid pixels is level, the one without a mask rises, "
        "the one divided by all pixels falls to 0.",
    )


draw_void()

# %%
sliders(draw_void, lost=(0.0, 1.0, 0.05))

# %% [markdown]
# Only the masked mean says the same of the same network, until the last pixel is gone; there it is 0. Without
# a mask the truth "0" of a void pixel is believed, and the network is told that nothing is near. Divided by
# all, the loss looks better the less is known, and a batch with many holes pulls less than one with few.
#
# (`lost` is the share that is taken away. Some of these pixels, sky and own car, had no truth to begin with.
# So the share of void pixels, which is printed and drawn, is the larger number.)
#
# ### Segmentation: cross-entropy
#
# For every pixel the network gives one score $z_c$ per class. The softmax turns scores into probabilities,
# and the error is minus the logarithm of the probability of the true class $y_p$:
#
# $$\mathcal{L}_{\text{seg}} = -\frac{1}{|V|} \sum_{p \in V} \ln
#   \frac{\exp z_{y_p}}{\sum_c \exp z_c}, \qquad V = \{p : y_p \neq -1\}$$
#
# Two classes, 2×2 pixels. The scores are logarithms, so that the probabilities come out round:
#
# | pixel | scores | probabilities | true class | error |
# |---|---|---|---|---|
# | 1 | 0, 0 | 1/2, 1/2 | 0 | $\ln 2 = 0.693$ |
# | 2 | 0, ln 3 | 1/4, 3/4 | 1 | $\ln (4/3) = 0.288$ |
# | 3 | ln 3, 0 | 3/4, 1/4 | 1 | $\ln 4 = 1.386$ |
# | 4 | ∞, 0 | – | void | – |
#
# The mean over the three valid pixels is $2.367 / 3 = 0.789$.

# %% [markdown]
# {{exercise 03.cross_entropy}}
#
# Write the loss. The prediction holds the scores, [B, classes, H, W], and the target the class numbers,
# [B, H, W], int64, where −1 (`VOID`) is void. PyTorch's own functions are welcome. Three corners:
#
# * A score may be large, a thousand or so, at any pixel.
# * A batch may be void everywhere: loss 0, gradient 0.
# * A score at a void pixel may be infinite, as at pixel 4 above. Neither the loss nor the gradient may
#   notice.
#
# <details><summary>Stuck?</summary>
#
# Three steps: the logarithms of all probabilities, of these the one of the true class (`torch.gather`, which
# does not know a class −1), and the mean. If the gradient is nan although the loss is right: follow the
# infinite score. The way back passes through every operation that the way there did. So ask which tensor is
# the first that may still hold it. Our version is in the [solutions](solutions/03_two_tasks.ipynb).
#
# </details>


# %%
def cross_entropy(prediction, target):
    ### BEGIN SOLUTION
    valid = target != VOID
    prediction = torch.where(valid.unsqueeze(1), prediction, 0.0)  # no infinity gets further than here
    log_probability = prediction - prediction.logsumexp(dim=1, keepdim=True)
    true_class = target.clamp(min=0).unsqueeze(1)  # gather cannot look up class -1
    return mean_over_valid(-log_probability.gather(1, true_class).squeeze(1), valid)
    ### END SOLUTION


# %%
cross_entropy = check("03.cross_entropy", cross_entropy)

# %%
ln3, infinity = torch.tensor(3.0).log().item(), float("inf")
class_truth = torch.tensor([[[0, 1], [1, VOID]]])  # [B, H, W] = [1, 2, 2]
scores = torch.tensor([[[[0, 0], [ln3, infinity]], [[0, ln3], [0, 0]]]], requires_grad=True)  # [1, 2, 2, 2]
loss = cross_entropy(scores, class_truth)
(gradient,) = torch.autograd.grad(loss, scores)
print(f"loss {loss:.3f}, by hand 0.789")
print("gradient of the scores of class 0\n", gradient[0, 0].numpy().round(3))

# %% [markdown]
# The gradient of a score is (probability − 1 or 0) / |V|: $(1/2 - 1)/3 = -0.167$ at the first pixel, where
# class 0 is true. It fades as the probability of the truth goes to 1. And the void pixel with its infinite
# score has gradient 0, not nan.
#
# What matters here: `mean_over_valid` selects at the end, and that alone is not enough. The softmax of an
# infinite score holds $\infty - \infty$, which is nan. Selecting the *result* keeps it out of the loss;
# but on the way back its gradient, 0, is multiplied by that nan, which is nan again. What must not matter
# has to be replaced, or left out, **before** the computation.
#
# ### Surface normals: cosine
#
# A **surface normal** is the direction in which a surface faces, a vector of length 1. Two directions agree
# when the cosine of the angle between them is 1:
#
# $$\mathcal{L}_{\text{normals}} = 1 - \frac{1}{|V|} \sum_{p \in V}
#   \frac{\hat n_p \cdot n_p}{|\hat n_p| \, |n_p|}, \qquad V = \{p : |n_p| > 0\}$$
#
# Again four pixels:
#
# | pixel | truth | prediction | cosine |
# |---|---|---|---|
# | 1 | (0, 1, 0) | (0, 1, 0) | 1 |
# | 2 | (1, −1, 0)/√2 | (1, 0, 0) | $1/\sqrt 2 = 0.707$ |
# | 3 | (0, 0, 1) | (0, 1, 0) | 0 |
# | 4 | (0, 0, 0) | (1, 1, 1) | *invalid* |
#
# **Predict.** The loss.

# %% [markdown]
# {{exercise 03.cosine}}
#
# Write the loss. Both are [B, 3, H, W]. The predicted vectors may have any length. Corners:
#
# * A true normal of length 0 is invalid. Again: nothing valid gives 0 with gradient 0, and what is predicted
#   at an invalid pixel, be it infinite, must not matter.
# * A *predicted* vector of length 0 at a valid pixel points nowhere. Count its cosine as 0, and let no nan
#   come from it.
#
# <details><summary>Stuck?</summary>
#
# Which pixels are valid is a picture [B, H, W], one channel less than the target. `F.cosine_similarity`
# divides by the lengths, and its `dim` says along which axis a vector lies. For the infinite predictions,
# remember what helped in `cross_entropy`.
#
# </details>


# %%
def cosine(prediction, target):
    ### BEGIN SOLUTION
    valid = target.square().sum(dim=1) > 0
    comparable = valid & (prediction.square().sum(dim=1) > 0)  # a prediction of length 0 points nowhere
    prediction = torch.where(comparable.unsqueeze(1), prediction, 1.0)
    similarity = torch.where(comparable, F.cosine_similarity(prediction, target, dim=1), 0.0)
    return mean_over_valid(1 - similarity, valid)
    ### END SOLUTION


# %%
cosine = check("03.cosine", cosine)


# %%
def as_picture(*vectors):
    return torch.tensor(vectors).T.reshape(1, 3, 2, 2)  # four vectors -> [B, 3, H, W]


half = 0.5**0.5
true_normals = as_picture([0.0, 1, 0], [half, -half, 0], [0, 0, 1], [0, 0, 0])
guessed_normals = as_picture([0.0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1])
print(f"loss {cosine(guessed_normals, true_normals):.3f}, by hand 1 - 1.707 / 3 = {1 - 1.707 / 3:.3f}")

# %% [markdown]
# A programmer finds the valid pixels by `target.sum(dim=1) != 0`: "a zero vector sums to zero". This mask
# stands in the released code of the paper.
#
# **Predict.** What loss does it give?

# %%
right = true_normals.square().sum(dim=1) > 0
faulty = true_normals.sum(dim=1) != 0
similarity = F.cosine_similarity(guessed_normals, true_normals, dim=1)
print("valid pixels\n", right[0].int().numpy())
print("valid by the faulty mask\n", faulty[0].int().numpy())
print(f"loss with the faulty mask {1 - similarity[faulty].mean():.3f}")

# %% [markdown]
# The second normal is valid, and its components sum to zero, because a sum is not a length. The mask drops
# it, silently: no error, no nan, only another number. A wall that faces exactly so would vanish as a whole.
#
# ### The same as the package's
#
# All three on random batches that are not square, with missing pixels. The package's `losses` check the
# shapes first and add up in at least 32 bits; otherwise they compute what yours do.

# %%
generator = torch.Generator().manual_seed(0)
random_scores = torch.randn(2, 7, 6, 9, generator=generator)
random_labels = torch.randint(-1, 7, (2, 6, 9), generator=generator)
some = torch.rand(2, 1, 6, 9, generator=generator) < 0.7
random_depth, depth_target = torch.rand(2, 2, 1, 6, 9, generator=generator)
random_normals, normals_target = torch.randn(2, 2, 3, 6, 9, generator=generator)
depth_target, normals_target = depth_target * some, F.normalize(normals_target, dim=1) * some
pairs = {
    "cross_entropy": (cross_entropy, losses.cross_entropy, random_scores, random_labels),
    "l1": (l1, losses.l1, random_depth, depth_target),
    "cosine": (cosine, losses.cosine, random_normals, normals_target),
}
for name, (ours, theirs, prediction, target) in pairs.items():
    equal = torch.allclose(ours(prediction, target), theirs(prediction, target))
    print(f"{name:<14} equal to the package: {equal}")

# %%
nowhere = {
    "cross_entropy": torch.full_like(random_labels, VOID),
    "l1": torch.zeros_like(depth_target),
    "cosine": torch.zeros_like(normals_target),
}
for name, (ours, _, prediction, _) in pairs.items():
    prediction = prediction.clone().requires_grad_()
    loss = ours(prediction, nowhere[name])
    (gradient,) = torch.autograd.grad(loss, prediction)
    print(f"{name:<14} nothing valid: loss {loss:.0f}, largest gradient {gradient.abs().max():.0f}")

# %% [markdown]
# | loss | prediction | target | invalid where | a number without a unit? |
# |---|---|---|---|---|
# | `cross_entropy` | [B, classes, H, W] | [B, H, W], int64 | target = −1 | no: nats |
# | `l1` | [B, 1, H, W] | [B, 1, H, W] | target = 0 | no: unit of the depth |
# | `cosine` | [B, 3, H, W] | [B, 3, H, W] | length of the target = 0 | yes |
#
# **To think through (5 minutes).** Someone proposes the loss $1 - \hat n \cdot n$ without dividing by the
# lengths, on the raw output of the network. What does the network learn to do?
#
# <details><summary>One answer</summary>
#
# To predict longer and longer vectors. Doubling $\hat n$ doubles the dot product, so the loss falls without
# bound and without a better direction. One has to divide by the length, in the loss or in the output. Our
# normals task does both: its head ends in `F.normalize`.
#
# </details>
#
# ## 2. The metric of segmentation
#
# A loss is made for the optimizer: smooth, with a useful gradient. A **metric** is made for us: it answers
# the question that we really have. For segmentation everything follows from one table, the **confusion
# matrix** $n$: $n_{ij}$ counts the pixels of true class $i$ that are predicted as $j$.
#
# * **Pixel accuracy**: the share of pixels that are right, $\sum_c n_{cc} / \sum_{ij} n_{ij}$.
# * **Intersection over union** (IoU) of class $c$: the pixels that are $c$ in both, divided by the pixels
#   that are $c$ in at least one:
#
# $$\text{IoU}_c = \frac{n_{cc}}{\sum_j n_{cj} + \sum_i n_{ic} - n_{cc}}, \qquad
#   \text{mIoU} = \text{mean of the IoU of all classes that occur}$$
#
# Take a picture of 3×3 pixels, four classes, one void pixel:
#
# | truth | prediction |
# |---|---|
# | 0 0 0 | 0 0 1 |
# | 0 1 1 | 0 1 1 |
# | void 1 2 | 0 1 1 |
#
# **Predict.** Fill in the 4×4 matrix on paper (rows are the truth), then the four IoUs, their mean, and the
# pixel accuracy. What do you do with class 3?

# %% [markdown]
# {{exercise 03.confusion_matrix}}
#
# Write the function that counts. Prediction and target hold class numbers, int64, and have the same shape,
# whatever it is. Void pixels (−1 in the target) are not counted. The result is int64, [classes, classes],
# with the truth in the rows, also if the last classes do not occur.
#
# <details><summary>Stuck?</summary>
#
# Two loops over the classes are a right answer. Without a loop: give each pair of classes one number of its
# own, and let `torch.bincount` count these numbers.
#
# </details>


# %%
def confusion_matrix(prediction, target, classes):
    """Counts of (true class, predicted class) over the pixels that are not void, int64 [classes, classes]."""
    ### BEGIN SOLUTION
    valid = target != VOID
    pairs = (target * classes + prediction)[valid]  # one number for each pair
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)
    ### END SOLUTION


# %%
confusion_matrix = check("03.confusion_matrix", confusion_matrix)

# %%
truth = torch.tensor([[0, 0, 0], [0, 1, 1], [VOID, 1, 2]])
guessed = torch.tensor([[0, 0, 1], [0, 1, 1], [0, 1, 1]])
confusion = confusion_matrix(guessed, truth, classes=4)
print(confusion)
print("valid pixels:", confusion.sum().item())

# %% [markdown]
# {{exercise 03.iou}}
#
# From the matrix [classes, classes] to the IoU of each class, [classes]. A class that occurs neither in the
# truth nor in the prediction has no IoU: its entry is NaN, so that a mean can leave it out.


# %%
def iou(confusion):
    ### BEGIN SOLUTION
    hits = confusion.diagonal().double()
    union = confusion.sum(dim=0) + confusion.sum(dim=1) - hits
    return hits / union
    ### END SOLUTION


# %%
iou = check("03.iou", iou)

# %%
print("IoU of the classes   ", iou(confusion).numpy().round(2))
print("plain mean           ", iou(confusion).mean().item())
print(f"mean of those that occur {iou(confusion).nanmean():.2f}")
print(f"pixel accuracy           {confusion.diagonal().sum() / confusion.sum():.2f}")

# %% [markdown]
# By hand: class 0 has 3 hits, 4 true, 3 predicted, so $3 / (4 + 3 - 3) = 3/4$. Class 1 has $3 / (3 + 5 - 3)
# = 3/5$. Class 2 has 0 hits and 1 true pixel, so 0. Class 3 occurs neither in the truth nor in the
# prediction, 0 / 0: there is nothing to say about it, so it does not enter the mean, $(0.75 + 0.6 + 0) / 3
# = 0.45$. The plain mean lets this one absent class turn the result of a whole evaluation into nan.
#
# Note the difference between classes 2 and 3. A class that exists and is never found has an IoU of 0, and
# that counts.
#
# ### Why not just accuracy?
#
# Street scenes are mostly road and buildings. Here are the shares of the seven classes in the frames that
# we train on below.

# %%
settings = {
    "quick": {"name": "synthcity", "size": (64, 128), "frames": (200, 32), "width": 1 / 8, "rate": 3e-3},
    "paper": {"name": "cityscapes", "size": (128, 256), "frames": (None, None), "width": 1, "rate": 1e-4},
}[platforms.run_size()]
root = platforms.find_data("cityscapes") if settings["name"] == "cityscapes" else None
train, val = (
    data.load(settings["name"], split, size=settings["size"], classes=7, length=length, root=root)
    for split, length in zip(("train", "val"), settings["frames"], strict=True)
)
# Every run below sees the same frames: draw each once, and keep it in memory.
train_frames, val_frames = ([frames[index] for index in range(len(frames))] for frames in (train, val))
print(f"{len(train_frames)} frames to train on, {len(val_frames)} to test on, {train.source}")

# %%
counts = sum(
    torch.bincount(sample["segmentation"][sample["segmentation"] != VOID], minlength=7)
    for sample in train_frames
)
frequencies = counts / counts.sum()
figure = plots.bars(
    dict(zip(label_set(7).names, frequencies.tolist(), strict=True)),
    f"share of the valid pixels ({train.source})",
    colours=label_set(7).colours,
)
for extreme in (frequencies.argmax(), frequencies.argmin()):
    print(f"{label_set(7).names[extreme]:<6} {frequencies[extreme]:.2f}")
plots.show(
    figure,
    "Horizontal bars of the share of the seven classes. Flat is by far the longest, then construction "
    "and nature; object and human are hardly visible.",
)

# %% [markdown]
# **Predict.** A predictor ignores the image and says *flat* (road and pavement) everywhere. Its pixel
# accuracy is the share of *flat*, about 0.4. What is its mIoU? Write your guess into the first line, then
# run the cell.

# %%
### BEGIN SOLUTION
guess = 0.06
### END SOLUTION
always_flat = sum(
    confusion_matrix(torch.zeros_like(sample["segmentation"]), sample["segmentation"], classes=7)
    for sample in val_frames
)
flat_mean_iou = iou(always_flat).nanmean().item()
compare("03.always_flat", guess, flat_mean_iou)

# %%
flat_accuracy = (always_flat.diagonal().sum() / always_flat.sum()).item()
print(f"pixel accuracy {flat_accuracy:.2f}")
print(f"mean IoU       {flat_mean_iou:.2f}")

# %% [markdown]
# An accuracy that sounds like "nearly half right" for a predictor that has learned nothing. Its mIoU is a
# seventh of that, because mIoU asks about each class once, however many pixels it has, and six of the seven
# answers are 0. It is also punished for every pixel it claims wrongly: the accuracy *is* its IoU for
# *flat*, since the union is then the whole picture. That is why mIoU is the headline number, and why every
# result in this course is compared with a constant predictor.
#
# ### Pooled, or the mean over images?
#
# A test set has many images. Either we add up their confusion matrices and compute one mIoU at the end
# (**pooled**), or we compute an mIoU per image and average those. It sounds like the same thing.
#
# Take two pictures of ten pixels and two classes, road (0) and human (1). The first is all road, and one
# pixel is called human. The second is half human, and all right.
#
# **Predict.** In the first picture nine of ten pixels are right. What is its mIoU? Write your guess into the
# first line.

# %%
### BEGIN SOLUTION
guess = 0.45
### END SOLUTION
first_truth, second_truth = torch.zeros(10, dtype=torch.int64), torch.tensor([0] * 5 + [1] * 5)
first_guess, second_guess = first_truth.clone(), second_truth.clone()
first_guess[0] = 1  # one stray pixel
pair = [
    confusion_matrix(first_guess, first_truth, classes=2),
    confusion_matrix(second_guess, second_truth, classes=2),
]
each = [iou(confusion).nanmean().item() for confusion in pair]
compare("03.stray_pixel", guess, each[0])

# %%
print("mIoU of each picture:", [round(value, 3) for value in each])
print(f"mean over pictures:   {sum(each) / 2:.3f}")
print(f"pooled over pixels:   {iou(sum(pair)).nanmean():.3f}")

# %% [markdown]
# In the first picture the IoU of human is 0 / 1 = 0: one stray pixel costs half of that picture's score.
# Pooled, the same pixel makes the human IoU 5 / 6. The two ways differ by 16 points, and nothing but the
# arithmetic differs.
#
# The paper of this course averaged per image; later papers pool. On Cityscapes with seven classes the first
# gives about 53 %, the second about 75 % for comparable networks. **A mean IoU without the word "pooled" or
# "per image" cannot be compared with anything.** The course always pools: every pixel counts once.

# %% [markdown]
# {{exercise 03.two_pictures}}
#
# In the example pooling gives the larger number. Find two pictures for which it gives the smaller one. Each
# has ten pixels and two classes; give their confusion matrices, a pair of tensors of shape [2, 2].
#
# <details><summary>Stuck?</summary>
#
# One of the two is perfect. What must be in it, and what not, so that its perfection does not help the class
# that goes wrong in the other?
#
# </details>


# %%
def two_pictures():
    ### BEGIN SOLUTION
    perfect = torch.tensor([[10, 0], [0, 0]])  # all road: one class occurs, and its IoU is 1
    missed = torch.tensor([[9, 0], [1, 0]])  # one pixel of human, which is called road
    return perfect, missed
    ### END SOLUTION


# %%
two_pictures = check("03.two_pictures", two_pictures)

# %%
first, second = two_pictures()
mean = (iou(first).nanmean() + iou(second).nanmean()) / 2
print("pooled below the mean over pictures:", bool(iou(first + second).nanmean() < mean))

# %% [markdown]
# So neither way is the kinder one. They answer different questions: how good is a typical *picture*, and how
# good is a typical *pixel* of a class?
#
# ### The accumulator
#
# To pool we need an object that sees one batch after another and answers at the end. All metrics of the
# course have this form: `update(prediction, target)`, then `compute()`.

# %% [markdown]
# {{exercise 03.Segmentation}}
#
# Fill in both methods. `update` gets a batch: scores [B, classes, H, W], of which the highest is the
# prediction, and class numbers [B, H, W]. It may be called any number of times. `compute` returns a dict
# with two numbers from 0 to 1, `mean_iou` and `pixel_accuracy`, of *all valid pixels seen so far
# together*. A class that has not occurred by then is left out of the mean. `confusion_matrix` and `iou`
# are at hand.


# %%
class Segmentation:
    def __init__(self, classes):
        self.classes = classes
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)

    @torch.no_grad()
    def update(self, prediction, target):
        ### BEGIN SOLUTION
        # The counts stay on the CPU, wherever the network computes.
        self.confusion += confusion_matrix(prediction.argmax(dim=1), target, self.classes).cpu()
        ### END SOLUTION

    def compute(self):
        ### BEGIN SOLUTION
        accuracy = self.confusion.diagonal().sum() / self.confusion.sum().double()
        return {"mean_iou": iou(self.confusion).nanmean().item(), "pixel_accuracy": accuracy.item()}
        ### END SOLUTION


# %%
Segmentation = check("03.Segmentation", Segmentation)


# %%
def fed(metric, *batches):
    """What `metric` says after all batches (prediction, target)."""
    for prediction, target in batches:
        metric.update(prediction, target)
    return metric.compute()


def same(first, second):
    """Whether two results agree in all their numbers, but for rounding."""
    return all(math.isclose(first[name], second[name], rel_tol=1e-5) for name in second)


halves = [(random_scores[:1], random_labels[:1]), (random_scores[1:], random_labels[1:])]
ours = fed(Segmentation(7), *halves)
print("equal to the package:      ", same(ours, fed(metrics.Segmentation(7), *halves)))
print("in one batch or in two:    ", same(ours, fed(Segmentation(7), (random_scores, random_labels))))

# %% [markdown]
# The second line is the property that makes a metric honest: the result does not depend on how the data are
# cut into batches.
#
# ## 3. The metrics of depth and normals
#
# For depth there are two questions. The **absolute error** $|\hat d - d|$ has the unit of the depth. The
# **relative error** $|\hat d - d| / d$ has none; the same mistake counts more where the true value is
# small. Both are averaged over the valid pixels.
#
# **Predict.** Both, for the 2×2 frame of section 1: truth 0.2, 0.1, 0.4 and one invalid; prediction 0.1,
# 0.1, 0.3.

# %% [markdown]
# {{exercise 03.Depth}}
#
# Fill in both methods. `update` gets prediction and target, [B, 1, H, W], as often as it likes, and a
# target of 0 is invalid. `compute` returns a dict with `absolute_error` and `relative_error`, the means
# over *all valid pixels seen so far together*. Three numbers are there to be kept; you may keep others.


# %%
class Depth:
    def __init__(self):
        self.absolute = torch.zeros((), dtype=torch.float64)
        self.relative = torch.zeros((), dtype=torch.float64)
        self.count = 0

    @torch.no_grad()
    def update(self, prediction, target):
        ### BEGIN SOLUTION
        valid = target != 0
        error = (prediction.double() - target).abs()
        self.absolute += torch.where(valid, error, 0.0).sum().cpu()
        self.relative += torch.where(valid, error / target.abs(), 0.0).sum().cpu()
        self.count += int(valid.sum())
        ### END SOLUTION

    def compute(self):
        ### BEGIN SOLUTION
        count = self.count or float("nan")  # where nothing was valid, there is nothing to say
        return {
            "absolute_error": self.absolute.item() / count,
            "relative_error": self.relative.item() / count,
        }
        ### END SOLUTION


# %%
Depth = check("03.Depth", Depth)

# %%
for name, value in fed(Depth(), (depth_guess, depth_truth)).items():
    print(f"{name} {value:.4f}")
batches = [(random_depth[:1], depth_target[:1]), (random_depth[1:], depth_target[1:])]
print("equal to the package:", same(fed(Depth(), *batches), fed(metrics.Depth(), *batches)))

# %% [markdown]
# $0.2 / 3$ and $(1/2 + 0 + 1/4) / 3 = 0.25$. The sums are kept in 64 bits: a validation set has millions of
# pixels, and a 32-bit sum stops growing when the next term is smaller than its last digit.
#
# What matters here: such a class keeps *sums and a count*, not means. The mean of the means of batches
# would give the pixels of a frame with few valid ones more weight, the same fault as the mean over images
# above.
#
# ### Angles
#
# For normals the question is: how many degrees off? The obvious formula is the arc cosine of the dot
# product, $\theta = \arccos(a \cdot b)$ for unit vectors. It is right, and in 32 bits it fails just where
# predictions become good. Near 0 the cosine is flat: $\cos\theta \approx 1 - \theta^2 / 2$. The smallest
# step below 1 that a 32-bit number can take is $6 \cdot 10^{-8}$, so the smallest angle it can tell from 0
# is $\sqrt{2 \cdot 6 \cdot 10^{-8}}$, or about 0.02°.
#
# A formula without this fault uses the lengths of difference and sum. Two unit vectors span a rhombus, and
# these two are its diagonals:
#
# $$|a - b| = 2 \sin\frac{\theta}{2}, \qquad |a + b| = 2 \cos\frac{\theta}{2}, \qquad
#   \theta = 2 \operatorname{atan2}\left(|a - b|, |a + b|\right)$$
#
# **Predict.** What do the two formulas give for an angle of 0.01°?


# %%
def angle(first, second):
    """Angle between vectors along dim 1, in degrees."""
    first, second = F.normalize(first.float(), dim=1), F.normalize(second.float(), dim=1)
    return torch.rad2deg(2 * torch.atan2((first - second).norm(dim=1), (first + second).norm(dim=1)))


def angle_by_arccos(first, second):
    return torch.rad2deg(torch.arccos((first * second).sum(dim=1)))


true_angles = torch.logspace(-3, 0, 200, dtype=torch.float64)
radians = torch.deg2rad(true_angles)
turned = torch.stack([radians.cos(), radians.sin(), torch.zeros(200)], dim=1).float()
forward = torch.tensor([[1.0, 0.0, 0.0]]).expand(200, 3)
hundredth = torch.deg2rad(torch.tensor([0.01]))
tiny = torch.stack([hundredth.cos(), hundredth.sin(), torch.zeros(1)], dim=1)
print(f"0.01 degrees by arccos: {angle_by_arccos(forward[:1], tiny).item():.3f}")
print(f"0.01 degrees by atan2:  {angle(forward[:1], tiny).item():.3f}")

# %%
figure, axis = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
axis.loglog(true_angles, angle(turned, forward), color="black", label="2 atan2(|a − b|, |a + b|)")
by_arccos = angle_by_arccos(turned, forward)
seen = by_arccos > 0
axis.loglog(
    true_angles[seen], by_arccos[seen], ".", color=plots.TASK_COLOURS["normals"], label="arccos(a · b)"
)
axis.set(xlabel="true angle (degrees)", ylabel="computed angle (degrees)", title="In 32 bits")
axis.legend(frameon=False)
generator = torch.Generator().manual_seed(0)
units = F.normalize(torch.randn(1000, 3, generator=generator), dim=1)
print("arccos gives 0 for some angle above 0.01 degrees:", bool((by_arccos[true_angles > 0.01] == 0).any()))
print("arccos of some vectors with themselves is nan:   ", angle_by_arccos(units, units).isnan().any().item())
print("atan2 of any vector with itself is 0:            ", angle(units, units).max().item() == 0)
plots.show(
    figure,
    "Computed against true angle, both axes logarithmic from 0.001 to 1 degree. The line of atan2 is "
    "straight. The dots of arccos lie on it above 0.1 degrees, form steps below, and are missing below "
    "0.01 degrees.",
)

# %% [markdown]
# The nan in the second printed line is the other face of it: the dot product of a unit vector with itself
# comes out a hair above 1, where no arc cosine exists.
#
# From the angles of all pixels one reports the **mean**, the **median** (half of the pixels are better) and
# the shares **within** 11.25°, 22.5° and 30°. Five pixels are off by 2, 4, 6, 20 and 80 degrees.
#
# **Predict.** All five numbers. Which of mean and median says more about a typical pixel?


# %%
class Normals:
    THRESHOLDS = {"within_11_25": 11.25, "within_22_5": 22.5, "within_30": 30.0}
    BIN = 0.01  # degrees

    def __init__(self):
        self.angles = torch.zeros((), dtype=torch.float64)
        self.within = dict.fromkeys(self.THRESHOLDS, 0)
        self.histogram = torch.zeros(round(180 / self.BIN), dtype=torch.int64)

    @torch.no_grad()
    def update(self, prediction, target):
        valid = target.square().sum(dim=1) > 0
        degrees = angle(prediction, target)[valid]
        self.angles += degrees.double().sum().cpu()
        for name, threshold in self.THRESHOLDS.items():
            self.within[name] += int((degrees < threshold).sum())
        bins = (degrees / self.BIN).long().clamp(max=len(self.histogram) - 1)
        self.histogram += torch.bincount(bins, minlength=len(self.histogram)).cpu()

    def compute(self):
        count = int(self.histogram.sum()) or float("nan")
        shares = {name: hits / count for name, hits in self.within.items()}
        return {
            "mean_angle": self.angles.item() / count,
            "median_angle": median(self.histogram, self.BIN),
            **shares,
        }


# %% [markdown]
# A median needs all values at once, and a validation set has tens of millions of angles. So the class
# counts how many fall into each hundredth of a degree. The median is where the running count passes half;
# it is then exact to half a bin. This function is still missing:


# %%
def median(histogram, width):
    cumulative = histogram.cumsum(dim=0)
    if cumulative[-1] == 0:
        return float("nan")
    middle = int(torch.searchsorted(cumulative, (cumulative[-1] + 1) // 2))
    return (middle + 0.5) * width


off_by = torch.deg2rad(torch.tensor([2.0, 4, 6, 20, 80]))
five = torch.stack([off_by.cos(), off_by.sin(), torch.zeros(5)]).view(1, 3, 1, 5)  # [B, 3, H, W]
ahead = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 1, 5)
for name, value in fed(Normals(), (five, ahead)).items():
    print(f"{name:<13} {value:.1f}")
batches = [(random_normals[:1], normals_target[:1]), (random_normals[1:], normals_target[1:])]
print("equal to the package:", same(fed(Normals(), *batches), fed(metrics.Normals(), *batches)))

# %% [markdown]
# The mean, 112 / 5, is larger than four of the five angles: one pixel on the edge between two walls decides
# it. The median tells you what a typical pixel is like, the thresholds how many are good, and only the mean
# tells you that some are terrible. That is why all five are reported.
#
# ## 4. A task is a small record
#
# Which parts of the code have to know that there is such a thing as depth? If the answer is "all", a fourth
# task means changes everywhere. So we bind together what belongs together.


# %%
@dataclass(frozen=True)
class Task:
    name: str  # key of its predictions
    channels: int  # how many channels the network predicts for it
    loss: Callable  # (prediction, target) -> scalar
    metric: Callable  # () -> a fresh accumulator
    target: str  # key of the truth in a sample


segmentation = Task("segmentation", 7, cross_entropy, partial(Segmentation, 7), "segmentation")
depth = Task("depth", 1, l1, Depth, "depth")
normals = Task("normals", 3, cosine, Normals, "normals")
for task in (segmentation, depth, normals):
    print(f"{task.name:<13} {task.channels} channels, loss {task.loss.__name__}")

# %% [markdown]
# `frozen` means that nobody can change a task by accident. `metric` is a function and not an accumulator,
# since each evaluation needs a fresh one; `partial(Segmentation, 7)` is the function that calls
# `Segmentation(7)`.
#
# The package's `Task` has the same five fields, and a few for looking at results:

# %%
extra = [field.name for field in dataclasses.fields(tasks.Task) if not hasattr(segmentation, field.name)]
print("more fields in the package:", ", ".join(extra))
todo = [tasks.segmentation(7), tasks.depth()]
K = len(todo)
for task in todo:
    print(f"{task.name:<13} headline {task.headline}, unit {task.unit or 'none'}")

# %% [markdown]
# `headline` names the metric that sums up the task, `higher_is_better` its direction, `unit` its unit;
# `draw` makes a picture; `activation` is what the head applies last (for normals: scaling to length 1).
#
# Now whole programs can be written without naming a task. This is the evaluation that we need below.


# %%
@torch.no_grad()
def evaluate(model, frames, todo):
    """The metrics of each task over all frames: task name -> metric name -> value."""
    model.eval()
    found = {task.name: task.metric() for task in todo}
    for batch in DataLoader(frames, batch_size=8):
        predictions = model(batch["image"].to(platform.device))
        for task in todo:
            found[task.name].update(predictions[task.name], batch[task.target].to(platform.device))
    return {name: metric.compute() for name, metric in found.items()}


# %% [markdown]
# **To think through (5 minutes).** Write the task "is there a person or a vehicle here, or not?" as a
# `Task`. What is missing before it can be trained?
#
# <details><summary>One answer</summary>
#
# ```python
# Task("foreground", 2, cross_entropy, partial(Segmentation, 2), "foreground")
# ```
#
# The samples have no key `"foreground"`: the data set must give that truth (with `classes=2` it does, under
# the key `"segmentation"`). Nothing else in the program has to change.
#
# </details>
#
# ## 5. Hard parameter sharing
#
# Two tasks can have two networks. Or they share one, up to the last layers, and each has its own **head**.
# This is **hard parameter sharing**, the oldest form of multi-task learning (Caruana, *Machine Learning*
# 1997). The paper calls it **Split**: one SegNet that splits at the end.


# %%
def draw_network(axis, names, row):
    """Image, encoder and decoder in one row of boxes, then one head for each name."""
    boxes = {"image": (0, row), "encoder": (1.4, row), "decoder": (2.8, row)}
    offsets = [0.0] if len(names) == 1 else [0.5, -0.5]
    boxes |= {name: (4.3, row + offset) for name, offset in zip(names, offsets, strict=True)}
    for label, (x, y) in boxes.items():
        colour = plots.TASK_COLOURS.get(label, "0.35")
        text = f"head of\n{label}" if label in plots.TASK_COLOURS else label
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": colour, "linewidth": 1.5}
        axis.text(x, y, text, ha="center", va="center", color=colour, bbox=box, fontsize=9)
    for start, end in [("image", "encoder"), ("encoder", "decoder"), *(("decoder", name) for name in names)]:
        (x0, y0), (x1, y1) = boxes[start], boxes[end]
        reach = {"segmentation": 0.55, "depth": 0.37}.get(end, 0.4)
        axis.annotate("", (x1 - reach, y1), (x0 + 0.4, y0), arrowprops={"arrowstyle": "->", "color": "0.35"})
    axis.set(xlim=(-0.5, 5), ylim=(-0.9, 1.4))
    axis.axis("off")


# %%
names = [task.name for task in todo]
figure, axes = plt.subplots(1, 2, figsize=(9.8, 2.1), layout="constrained")
for name, row in zip(names, (0.75, -0.25), strict=True):
    draw_network(axes[0], [name], row)
draw_network(axes[1], names, 0.25)
axes[0].set_title("two single-task networks", fontsize=10)
axes[1].set_title("Split: one network, two heads", fontsize=10)
print(f"networks left: {K}, right: 1")
plots.show(
    figure,
    "Left two rows, each image, encoder, decoder and one head. Right one row of image, encoder, "
    "decoder, from which two arrows lead to the head of segmentation and the head of depth.",
)

# %% [markdown]
# {{exercise 03.Split}}
#
# Build it from the parts of chapter 02. `filters` are the channels of the five levels.
#
# | part | made by | gets | gives |
# |---|---|---|---|
# | encoder | `Encoder(filters)` | images [B, 3, H, W] | three things: features, indices, sizes |
# | decoder | `Decoder(filters)` | these three | features [B, filters[0], H, W] |
# | head of a task | `Head(filters[0], task)` | features | the prediction [B, task.channels, H, W] |
#
# `todo` is a list of any number of tasks. `forward` returns a dict from each task's name to its
# prediction. Call the parts `encoder`, `decoder` and `heads`, with each head under its task's name:
# weights are saved by these names.
#
# <details><summary>Stuck?</summary>
#
# A module finds the parameters of its parts only if they are modules, too. For a list of modules there is
# `nn.ModuleList`; there is one for a dict as well. A `*` before an argument hands over the entries of a
# tuple one by one. Our version is in the [solutions](solutions/03_two_tasks.ipynb).
#
# </details>


# %%
class Split(nn.Module):
    def __init__(self, todo, width=1.0):
        super().__init__()
        filters = filters_at(width)
        ### BEGIN SOLUTION
        self.encoder = Encoder(filters)
        self.decoder = Decoder(filters)
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in todo})
        ### END SOLUTION
        initialise(self)

    def forward(self, images):
        ### BEGIN SOLUTION
        features = self.decoder(*self.encoder(images))  # computed once, for all tasks
        return {name: head(features) for name, head in self.heads.items()}
        ### END SOLUTION


# %%
Split = check("03.Split", Split)

# %%
ours, theirs = Split(todo, width=1 / 8), SegNet(todo, width=1 / 8)
theirs.load_state_dict(ours.state_dict())
images = torch.rand(2, 3, 40, 72, generator=generator)
for task in todo:
    prediction = ours(images)[task.name]
    equal = torch.allclose(prediction, theirs(images)[task.name], atol=1e-5)
    print(f"{task.name:<13} {list(prediction.shape)} equal to the package: {equal}")

# %% [markdown]
# It is the SegNet of chapter 02: that class took a list of tasks all along. With one task it is the paper's
# single-task baseline, with several it is Split.
#
# **Predict.** At full width a single-task SegNet has about 25 million parameters. By how many per cent
# does it grow when a second task joins? Write your guess into the first line. Then count the second head
# on paper: a 3×3 convolution from 64 to 64 channels, then a 1×1 convolution from 64 to 1, both with bias.

# %%
### BEGIN SOLUTION
guess = 0.15
### END SOLUTION
with torch.device("meta"):  # tensors with a shape and no memory: enough to count
    singles = [count_parameters(models.build("single", [task])) for task in todo]
    split = count_parameters(models.build("split", todo))
compare("03.second_task", guess, 100 * (split / singles[0] - 1))

# %%
for task, single in zip(todo, singles, strict=True):
    print(f"single, {task.name:<13} {single:>11,}")
print(f"both singles          {sum(singles):>11,}")
print(f"Split                 {split:>11,}")
print(f"the second task costs {split - singles[0]:>11,}  by hand {64 * 64 * 9 + 64 + 64 + 1:,}")

# %% [markdown]
# | | two single networks | Split |
# |---|---|---|
# | parameters | 49,960,968 | 25,017,672 |
# | forward passes of encoder and decoder per image | 2 | 1 |
# | features that the two heads see | each its own | **the same** |
#
# The second task costs 0.15 % more parameters and almost no time. That is the promise of hard sharing.
# There is a second, less obvious one: what one task learns about edges and surfaces may help the other, as
# if each had more data. The last row of the table is the price, and the subject of the rest of this
# chapter.
#
# **To think through (2 minutes).** What does the third task, normals, cost?
#
# <details><summary>One answer</summary>
#
# Another head: $64 \cdot 64 \cdot 9 + 64$ for the first layer and $64 \cdot 3 + 3$ for the second, 37,123.
#
# </details>
#
# ## 6. A short training
#
# We train Split, and for comparison each task alone, for 50 steps of eight frames, with the plain sum of
# the losses. All of it twice, from two random seeds: two runs that differ in nothing but chance tell how
# much of a difference to believe. On a GPU with real Cityscapes the same cells take the paper's network,
# frame size and learning rate for two epochs; the full recipe is that of chapter 06.


# %%
def fit_briefly(todo, seed, epochs=2):
    """Train a SegNet with a head for each task; return it and the losses of each step, [steps, K]."""
    torch.manual_seed(seed)
    model = models.build("split", todo, width=settings["width"]).to(platform.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings["rate"])
    order = torch.Generator().manual_seed(seed)
    history = []
    for _ in range(epochs):
        for batch in DataLoader(train_frames, batch_size=8, shuffle=True, generator=order):
            batch = {key: value.to(platform.device) for key, value in batch.items()}
            predictions = model(batch["image"])
            of_tasks = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
            optimizer.zero_grad()
            of_tasks.sum().backward()
            optimizer.step()
            history.append(of_tasks.detach().cpu())
    return model, torch.stack(history)


# %% [markdown]
# **Predict.** The same number of steps for all. Will each task do better alone or in Split? Write down one
# answer for segmentation and one for depth.

# %%
groups = {"split": todo, "segmentation alone": todo[:1], "depth alone": todo[1:]}
SEEDS = (0, 1)
runs = {(name, seed): fit_briefly(group, seed) for seed in SEEDS for name, group in groups.items()}
steps = len(runs["split", 0][1])
print(f"{len(runs)} runs of {steps} steps")
for (name, seed), (_, history) in runs.items():
    fell = (history[-5:].mean(dim=0) < history[:5].mean(dim=0)).all().item()
    print(f"seed {seed}, {name:<18} every loss fell: {fell}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.8, 3.4), layout="constrained")
for column, (axis, task) in enumerate(zip(axes, todo, strict=True)):
    for seed in SEEDS:
        shade = {"color": plots.task_colour(task), "alpha": 1 - 0.5 * seed}
        together = runs["split", seed][1][:, column]
        alone = runs[f"{task.name} alone", seed][1][:, 0]
        axis.plot(range(1, steps + 1), together, "-", label=f"split, seed {seed}", **shade)
        axis.plot(range(1, steps + 1), alone, "--", label=f"alone, seed {seed}", **shade)
    axis.set(xlabel="step", yscale="log", title=task.name)
    axis.legend(frameon=False, fontsize=9)
axes[0].set_ylabel("cross-entropy (nats)")
axes[1].set_ylabel(f"L1 ({todo[1].unit})")
figure.supxlabel(train.source, fontsize=9, color="0.4")
print(f"panels: {', '.join(task.name for task in todo)}; lines in each: {2 * len(SEEDS)}")
plots.show(
    figure,
    "Training loss over 50 steps, one panel for segmentation and one for depth, in each two solid lines "
    "for Split and two dashed ones for the task alone, from two seeds. All fall; the two Split lines "
    "end far apart.",
)

# %% [markdown]
# Before we believe in any number we need the opponents that do not look at the image. For segmentation it
# is *flat* everywhere, from section 2. For depth it is the best constant: under L1 that is the **median**
# of the training depths (a constant is best when as many pixels lie above it as below, since each pulls
# with the same force).

# %%
train_depths = torch.cat([sample["depth"][sample["depth"] != 0] for sample in train_frames])
constant = train_depths.median()
constant_error = fed(
    metrics.Depth(),
    *((constant.expand(1, 1, *val.size), sample["depth"].unsqueeze(0)) for sample in val_frames),
)["absolute_error"]
print(f"constant inverse depth {constant:.2f}: absolute error {constant_error:.3f}")

# %%
results = {key: evaluate(model, val_frames, groups[key[0]]) for key, (model, _) in runs.items()}
trivial = {"segmentation": flat_mean_iou, "depth": constant_error}
figure, axes = plt.subplots(1, 2, figsize=(9.8, 2.7), layout="constrained")
for axis, task in zip(axes, todo, strict=True):
    scores = {
        f"{name.split()[-1]}, seed {seed}": found[task.name][task.headline]
        for (name, seed), found in sorted(results.items(), reverse=True) if task.name in found
    }  # fmt: skip
    drawn = axis.barh(list(scores), list(scores.values()), color=plots.task_colour(task), height=0.6)
    readable = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axis.bar_label(drawn, fmt="%.3f", padding=3, fontsize=9, bbox=readable)
    axis.axvline(trivial[task.name], color="black", linestyle=":")
    axis.margins(x=0.2)
    unit = f" ({task.unit})" if task.unit else ""
    axis.set(xlabel=f"{task.headline}{unit}", title=f"{task.name}; dotted: without looking")
figure.supxlabel(val.source, fontsize=9, color="0.4")
print(f"trivial: mean IoU {flat_mean_iou:.2f}, absolute error {constant_error:.3f}")
plots.show(
    figure,
    "Bars of the mean IoU and of the absolute depth error of the four runs of each task, with a dotted "
    "line for the predictor that does not look at the image. The two Split runs differ more than the "
    "two tasks alone.",
)


# %% tags=["nbval-ignore-output", "why:long-training"]
def verdict(task, value):
    """Whether a result is better by a quarter than that of the predictor that does not look."""
    gain = value / trivial[task.name] if task.higher_is_better else trivial[task.name] / value
    return "clearly better" if gain > 1.25 else "no better"


for task in todo:
    for (name, seed), found in results.items():
        if task.name in found:
            print(f"{task.name:<13} seed {seed} {name:<19}", verdict(task, found[task.name][task.headline]))

# %% [markdown]
# First the network that had **nothing to share with**: depth alone. Its loss falls to about the error of
# the best constant and stays there: in these few steps it finds the median, and hardly more. A likely
# reason: near the median half of the pixels pull up and half pull down with the same force, so L1 says
# little about *which* features would help. In Split the head of depth reads features that segmentation has
# shaped, and where that works, depth gets below the constant. This is the good side of sharing.
#
# Now compare the two Split runs. They have the same frames and the same recipe, and in the stored run they differ
# from each other far more than the runs of a task alone do: in one of them segmentation has come no further
# than *flat* everywhere, and depth no further than the constant. Your own run may look different. With another
# kind of processor, which rounds its sums in another order, the same seed gave us two Split runs that were
# both clearly better. So early in the training of so small a network, rounding has the force of a new seed.
#
# What may we conclude? That the code works, that Split *can* help depth, and that 50 steps of a tiny
# network from two seeds cannot say whether sharing helps on average. Had we run one seed, we could have
# believed either of two opposite stories. For the long runs we turn to the paper (Table 2 on Cityscapes with 7
# classes, Table 3 on NYUv2; equal weights; "Split, wide" is a Split with 1.75 times the parameters of one
# network):
#
# | | single-task | Split, wide |
# |---|---|---|
# | Cityscapes: mean IoU, % (per image) | **51.09** | 50.17 |
# | Cityscapes: absolute error of inverse depth | **0.0158** | 0.0167 |
# | NYUv2: mean IoU, % (per image) | 15.10 | **15.89** |
# | NYUv2: absolute error, m | 0.7508 | **0.6494** |
# | NYUv2: mean angle of normals | **31.76°** | 33.69° |
#
# On Cityscapes sharing loses on both tasks; on NYUv2 two tasks win and one pays. So the question is not
# whether tasks should share, but what.
#
# ## 7. What goes wrong at the shared weights
#
# Both tasks send a gradient to the same weights $\theta$, and the optimizer sees only the sum:
#
# $$g = g_{\text{seg}} + g_{\text{depth}}, \qquad
#   \cos\varphi = \frac{g_{\text{seg}} \cdot g_{\text{depth}}}{|g_{\text{seg}}| \, |g_{\text{depth}}|}$$
#
# Two things can happen. If one gradient is much longer, the sum is nearly that one: the other task is not
# heard. And if $\cos\varphi$ is negative, the gradients **conflict**: what helps one task harms the other.
#
# A toy shows both: two weights, and two tasks that each want $\theta$ at a place of their own. The loss is
# half the squared distance to it: segmentation wants $(2, 0)$, depth $(0, 2)$. We start at $(-1, -1)$ and
# multiply depth's loss by a *scale*, as a change of its unit would.
#
# **Predict.** Where does descent on the sum end for scale 1, and where for scale 4? What is the cosine at
# the start?


# %%
goal = {"segmentation": torch.tensor([2.0, 0.0]), "depth": torch.tensor([0.0, 2.0])}


def toy_loss(theta, name):
    return 0.5 * (theta - goal[name]).square().sum(dim=-1)


def toy_gradients(theta, scale):
    theta = theta.clone().requires_grad_()
    of_tasks = [toy_loss(theta, "segmentation"), scale * toy_loss(theta, "depth")]
    return [torch.autograd.grad(loss, theta)[0] for loss in of_tasks]


def descend(scale, steps=100, rate=0.05):
    """Gradient descent on the sum: the points on the way, [steps + 1, 2]."""
    path = [torch.tensor([-1.0, -1.0])]
    for _ in range(steps):
        path.append(path[-1] - rate * sum(toy_gradients(path[-1], scale)))
    return torch.stack(path)


# %% [markdown]
# **Predict.** With scale 4, the total falls in every step. What does segmentation's own loss do on the
# way: `"down"`, `"up"`, `"down, then up"` or `"unchanged"`?

# %%
### BEGIN SOLUTION
guess = "down, then up"
### END SOLUTION
steps_of_loss = toy_loss(descend(scale=4), "segmentation").diff()
falls, rises = bool((steps_of_loss < -1e-4).any()), bool((steps_of_loss > 1e-4).any())
course = {(True, False): "down", (False, True): "up", (True, True): "down, then up", (False, False): "unchanged"}
compare("03.toy_loss", guess, course[falls, rises])

# %%
for scale in (1, 4):
    path = descend(scale)
    cosines = [F.cosine_similarity(*toy_gradients(point, scale), dim=0).item() for point in path]
    loss = toy_loss(path, "segmentation")
    print(f"scale {scale}: ends at {path[-1].numpy().round(2)}, cosine {cosines[0]:.1f} to {cosines[-1]:.1f}")
    print(f"         segmentation's loss {loss[0]:.2f}, lowest {loss.min():.2f}, at the end {loss[-1]:.2f}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained", sharey=True)
grid = torch.stack(
    torch.meshgrid(torch.linspace(-1.6, 2.6, 60), torch.linspace(-1.6, 2.6, 60), indexing="xy"), -1
)
for axis, scale in zip(axes, (1, 4), strict=True):
    total = toy_loss(grid, "segmentation") + scale * toy_loss(grid, "depth")
    axis.contour(*grid.unbind(-1), total, levels=12, colors="0.8", linewidths=0.8)
    path = descend(scale)
    axis.plot(*path.T, color="black", label="descent on the sum")
    axis.plot(*path[-1], "o", color="black")
    for name, gradient in zip(goal, toy_gradients(path[0], scale), strict=True):
        colour = plots.TASK_COLOURS[name]
        arrow = {"arrowstyle": "->", "color": colour, "linewidth": 2}
        axis.annotate("", (path[0] - 0.2 * gradient).tolist(), path[0].tolist(), arrowprops=arrow)
        axis.plot(*goal[name], "*", color=colour, markersize=14, label=f"where {name} wants θ")
    axis.set(xlabel="shared weight θ₁", title=f"depth's loss times {scale}", aspect="equal")
axes[0].set_ylabel("shared weight θ₂")
axes[0].legend(frameon=True, fontsize=8, loc="lower right")
print("end of the path:", *(f"scale {scale}: {descend(scale)[-1].numpy().round(2)}" for scale in (1, 4)))
plots.show(
    figure,
    "Contours of the sum of two bowls, in two panels. From the lower left two arrows start, towards the "
    "star of segmentation at the right and that of depth at the top. With scale 1 the path runs "
    "straight between them to the middle; with scale 4 depth's arrow is four times as long, and the "
    "path ends near depth's star.",
)

# %% [markdown]
# By hand: at the start the tasks want to go along $(3, 1)$ and $(1, 3)$, cosine $6 / 10$. They agree, and
# both losses fall. The sum is lowest at $(\text{goal}_s + \text{scale} \cdot \text{goal}_d) / (1 +
# \text{scale})$: in the middle $(1, 1)$ for scale 1, and at $(0.4, 1.6)$ for scale 4, where the larger loss
# has taken over. There, segmentation's loss falls, and then **rises again**, while the total falls all the
# time.
#
# When does a task lose by a step? A small step $-\eta (g_A + g_B)$ changes the loss of task A by
#
# $$\Delta \mathcal{L}_A \approx -\eta \left( |g_A|^2 + |g_A| \, |g_B| \cos\varphi \right)$$
#
# which is positive when $\cos\varphi < -|g_A| / |g_B|$. A conflict alone does not hurt; a conflict hurts
# the task **with the shorter gradient**. If its gradient is ten times shorter, a cosine of −0.1 is enough.
#
# One more thing to read off: at the end of both paths the cosine is −1. It has to be. At a minimum of the
# sum the gradients cancel, so they are opposite, unless both are zero. A negative cosine late in training
# is what a compromise looks like.
#
# ### Measured
#
# Now the real network. For each batch we compute the gradient of each task alone, at each of the five
# levels of the shared encoder, before the training and after it.


# %%
def encoder_gradients(model, batch, todo):
    """The gradient of each task at each encoder level, as flat vectors: a list [K] of lists [5]."""
    batch = {key: value.to(platform.device) for key, value in batch.items()}
    predictions = model.train()(batch["image"])
    levels = [list(convolutions.parameters()) for convolutions in model.encoder.blocks]
    found = []
    for task in todo:
        loss = task.loss(predictions[task.name], batch[task.target])
        flat = iter(torch.autograd.grad(loss, sum(levels, []), retain_graph=True))
        found.append([torch.cat([next(flat).flatten() for _ in level]) for level in levels])
    return found


# %%
def measure(model, batches):
    """Lengths of the gradients [batches, K, 5], and the cosine between the two tasks' [batches, 5]."""
    lengths, cosines = [], []
    for batch in batches:
        gradients = encoder_gradients(model, batch, todo)
        lengths.append(torch.tensor([[level.norm() for level in levels] for levels in gradients]))
        cosines.append(
            torch.stack([F.cosine_similarity(*pair, dim=0) for pair in zip(*gradients, strict=True)])
        )
    return torch.stack(lengths), torch.stack(cosines).cpu()


batches = list(DataLoader(train_frames[:64], batch_size=8))
torch.manual_seed(0)
untrained = models.build("split", todo, width=settings["width"]).to(platform.device)
trained = runs["split", 0][0]
measured = {"before": measure(untrained, batches), "after": measure(trained, batches)}
for name, (lengths, cosines) in measured.items():
    print(f"{name:<7} lengths {list(lengths.shape)}, cosines {list(cosines.shape)}")

# %% [markdown]
# **Predict.** Which task has the longer gradient before the training, which after? And the sign of the
# cosine?

# %%
levels = range(1, 6)
figure, axes = plt.subplots(1, 2, figsize=(9.8, 3.6), layout="constrained")
for moment, (style, shift, colour) in {"before": ("--", -0.12, "0.6"), "after": ("-", 0.12, "black")}.items():
    lengths, cosines = measured[moment]
    for column, task in enumerate(todo):
        mean_length = lengths.mean(dim=0)[column]
        axes[0].plot(
            levels, mean_length, f"o{style}", color=plots.task_colour(task), label=f"{task.name}, {moment}"
        )
    for values in cosines:
        axes[1].plot([level + shift for level in levels], values, ".", color=colour, alpha=0.5)
    axes[1].plot([level + shift for level in levels], cosines.mean(dim=0), style, color=colour, label=moment)
axes[0].set(ylabel="length of the gradient, mean of 8 batches", yscale="log")
axes[1].axhline(0, color="0.6", linewidth=0.8)
axes[1].set(ylabel="cosine between the tasks' gradients", ylim=(-1.05, 1.05))
for axis in axes:
    axis.set(xlabel="level of the shared encoder", xticks=levels)
axes[0].legend(frameon=False, fontsize=9, loc="center", ncols=2, handlelength=3)
axes[1].legend(frameon=False, fontsize=9)
figure.supxlabel(train.source, fontsize=9, color="0.4")
ratio = {moment: lengths.mean(dim=0)[0] / lengths.mean(dim=0)[1] for moment, (lengths, _) in measured.items()}
print("before: depth's gradient is the longer one at level 1:", bool(ratio["before"][0] < 1))
print("after:  segmentation's is the longer one at all levels: ", bool((ratio["after"] > 1).all()))
print("after:  more than five times as long at level 1:        ", bool(ratio["after"][0] > 5))
spread = {moment: cosines.std(dim=0).mean() for moment, (_, cosines) in measured.items()}
print("after:  the cosines of the batches differ more:         ", bool(spread["after"] > spread["before"]))
plots.show(
    figure,
    "Left, the length of both tasks' gradients at the five encoder levels on a logarithmic axis: nearly "
    "equal before the training, afterwards segmentation's is many times that of depth. Right, the cosine "
    "between them for eight batches: before the training nearly all above zero, afterwards far apart, from "
    "strongly negative to strongly positive.",
)

# %% [markdown]
# Compare the two colours, not the two moments: all lengths shrink in training, for reasons that do not
# matter here.
#
# **Before**, depth pulls a little harder than segmentation, although its loss is the smaller number, and on
# nearly all batches the two agree: to see anything at all helps both. **After**, segmentation pulls many
# times as hard. A likely reason stands in section 1: under L1 each pixel goes on pulling with the same
# force, but now about half of them pull up and half down, and in the sum over the pixels they cancel.
#
# So the balance between the two turned round within 50 steps, while the sum of the losses stayed the plain
# sum. *No fixed weighting of the losses can be right throughout.* And the cosines have spread: each batch
# now has its own opinion, and on some the tasks conflict.
#
# Now apply the rule $\cos\varphi < -|g_A| / |g_B|$ to all batches and levels. Where would a small plain
# step along the sum, at this level of the encoder, make a task worse?

# %%
for moment, (lengths, cosines) in measured.items():
    for task, own, other in zip(todo, (0, 1), (1, 0), strict=True):
        harmed = cosines < -lengths[:, own] / lengths[:, other]
        print(f"{moment:<7} {task.name:<13} is harmed on some batch, at some level: {harmed.any().item()}")

# %% [markdown]
# Before the training, no conflict is strong enough to harm anybody. After it, depth has the short gradient,
# and a small conflict is enough to harm it, while none can harm segmentation.
#
# Do not read more into this than it says. The rule speaks of one small plain step; Adam rescales every
# weight, and the decoder and the heads move, too. In fact this very run has the best depth of all our runs.
# A conflict at one moment is not harm in the end. What the measurement does show is *who decides* about the
# shared features at that moment: segmentation.
#
# And depth has no way out. In Split its head sees the very features that segmentation's head sees, all of
# them, and the head is two convolutions without a nonlinearity between. If depth needs a feature that
# segmentation does not want, the only place for it is the shared network. There are two answers, and each
# has a chapter:
#
# * **Attention** (chapter 04): leave the shared network shared, and give each task a way of its own to read
#   it, a mask at every level that picks what it can use.
# * **Weighting** (chapter 05): leave the network alone, and multiply each loss by a weight that follows the
#   training.
#
# Neither makes a conflict vanish. The first gives the tasks more room, the second decides who wins.
#
# **To think through (10 minutes).** Multiply the depth loss by 20 in `fit_briefly` (a line `weights =
# torch.tensor([1.0, 20.0])` and `(weights * of_tasks).sum()`), train from both seeds and measure again.
# Which gradient is the longer one now, before and after? Did anything become better, and by more than the
# two seeds differ?
#
# <details><summary>One answer</summary>
#
# In our runs on SynthCity depth, counted with its weight, has the longer gradient at both moments: some 25
# times as long before the training, about one and a half to two times after it. Nothing became better. From
# seed 0 both tasks end worse than they did with the plain sum, from seed 1 both stay close to the predictors
# that do not look. A fixed weight moves the balance; it does not know when the balance is right.
#
# </details>
#
# ### What Split sees
#
# Last, the predictions of the Split of seed 0 on two frames that it has not been trained on.

# %% tags=["reached"]
batch = next(iter(DataLoader(val_frames, batch_size=8)))
with torch.no_grad():
    predictions = trained.eval()(batch["image"].to(platform.device))
figure = plots.predictions(batch["image"], batch, predictions, todo, rows=2, source=val.source)
reached = {task.name: results["split", 0][task.name][task.headline] for task in todo}
plots.show(
    figure,
    "Two street scenes, their true classes and depth, and below them the predictions: flat below, a band "
    "of construction, nature above; no vehicles, poles or people. Depth is bright in the lower half and "
    "dark and grainy above.",
)
depth_word = verdict(todo[1], reached["depth"])
print(f"mIoU about {reached['segmentation']:.1f} (blind {flat_mean_iou:.2f}), depth {depth_word}")

# %% [markdown]
# The most frequent classes are there as coarse regions, and nothing else: a mean IoU of about 0.2 is hardly
# more than one and a half good classes out of seven. Depth has found that the lower part of a street scene
# is near, and little besides. Chapter 06 trains longer.
#
# ## Summary
#
# A loss averages over valid pixels, selects instead of multiplying, and is 0 with gradient 0 where nothing
# is valid; a metric pools counts over all pixels, and mean IoU shows what accuracy hides when classes are
# skewed. Hard sharing computes the features once for all tasks, and a second task costs 36,993 parameters.
# The price is that all tasks must use the same features, and that the longer gradient decides which.
#
# ## Quiz
#
# Choose first, then open the answer.
#
# 1. Why is `target.sum(dim=1) != 0` no test for a valid normal?
#    * a) Because of rounding: a sum of 32-bit numbers is almost never exactly 0.
#    * b) Because components can cancel: a normal of length 1 may have the sum 0.
#    * c) Because a normal may have negative components, and a length may not.
#    * d) It is one: only the zero vector has the sum 0.
#
#    <details><summary>Answer</summary>
#
#    **b.** $(1, -1, 0)/\sqrt 2$ has length 1 and sum 0. Only the length tells. a: a zero vector sums to
#    exactly 0, however one rounds; the trouble is that a valid normal does so, too. c: negative components
#    are no fault in themselves; $(0, -1, 0)$ passes the test. d: that is what the programmer believed.
#
#    </details>
# 2. A class occurs in no image of the test set, and the network predicts it at one pixel. What is its IoU?
#    * a) NaN, and it is left out of the mean.
#    * b) Nearly 1, since one pixel in millions does not matter.
#    * c) 0, and it is left out of the mean, because the class does not occur.
#    * d) 0, and it counts in the mean.
#
#    <details><summary>Answer</summary>
#
#    **d.** 0 / 1 = 0: the stray pixel is the whole union, and it costs a whole class's share of the mIoU.
#    a: NaN is only for a class that occurs in *neither*. b: that would be the pixel accuracy; an IoU looks
#    at the pixels of its class alone. c: it does occur, in the prediction.
#
#    </details>
# 3. Paper A reports 53 % mIoU, paper B 75 %, on the same classes and images. Which is the first question?
#    * a) Did both average in the same way, per image or pooled?
#    * b) How many parameters has B's network more?
#    * c) Did A train long enough?
#    * d) None: 22 points are far more than chance, B's network is better.
#
#    <details><summary>Answer</summary>
#
#    **a.** Per image and pooled differ by many points for the very same predictions, and both are called
#    mIoU. b and c: good questions, once the two numbers measure the same thing. d: chance is small, but
#    arithmetic is not.
#
#    </details>
# 4. Split has half the parameters of two networks. Why can it be *better* than they are?
#    * a) Because a smaller network overfits less, whatever it is trained on.
#    * b) Because its loss is a sum, and a sum has longer gradients.
#    * c) Because its features are trained by both tasks, and what one learns may serve the other.
#    * d) It cannot: it computes a special case of what two networks can compute.
#
#    <details><summary>Answer</summary>
#
#    **c.** And it can be worse for the same reason. a: size is no advantage here, since each
#    of the two networks is as small as Split. b: a longer gradient is no
#    better one, and Adam hardly sees its length. d: true of what the networks *can* compute, but not of
#    what training finds.
#
#    </details>
# 5. The cosine between two tasks' gradients is −0.3. Does a small step on their sum make task A worse?
#    * a) Yes, a negative cosine means that one of them loses.
#    * b) Only if A's gradient is shorter than 0.3 times that of the other.
#    * c) Only if A's gradient is the longer one.
#    * d) No, the sum falls, so both fall.
#
#    <details><summary>Answer</summary>
#
#    **b.** A loses if $\cos\varphi < -|g_A|/|g_B|$. a: with gradients of equal length both still gain. c:
#    it is the other way round, the longer gradient has its way. d: a sum can fall while one of its parts
#    rises, as in the toy.
#
#    </details>
#
# The next cell shows what you have done so far, in all chapters.

# %% tags=["nbval-ignore-output", "why:shows-progress"]
progress()

# %% [markdown]
# ## What comes next
#
# Chapter 04 builds the attention module, which lets each task read the shared features in its own way, and
# with it the network of the paper, MTAN.
#
# ## Sources
#
# * Liu, Johns, Davison, *End-to-End Multi-Task Learning with Attention*, CVPR 2019: the three losses
#   (equations 4 to 6), Split, Tables 2 and 3: https://arxiv.org/abs/1803.10704; the released code:
#   https://github.com/lorenmt/mtan
# * Badrinarayanan, Kendall, Cipolla, *SegNet*, TPAMI 2017: https://arxiv.org/abs/1511.00561
# * Caruana, *Multitask Learning*, Machine Learning 28, 1997
# * Yu, Kumar, Gupta, Levine, Hausman, Finn, *Gradient Surgery for Multi-Task Learning*, NeurIPS 2020: the
#   cosine between task gradients as a measure of conflict
