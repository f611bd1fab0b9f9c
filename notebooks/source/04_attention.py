# %% [markdown]
# # 04 · Attention
#
# {{chapter_badges}}
#
# In this chapter you build the attention module of MTAN, one mask per task and feature channel, and then the
# whole Multi-Task Attention Network.
#
# **After this chapter you can**
#
# * compute a soft attention mask by hand, from the features to the attended features;
# * draw the module in its encoder form and in its decoder form, and say where each tensor comes from;
# * assemble MTAN on a SegNet and prove by tests that it is the published network;
# * count its parameters and its work, and say where it saves and where it does not.
#
# **Time:** about 60 minutes of reading and {{exercise_minutes}} minutes of exercises, one minute of computing on a
# laptop, about 6 minutes on a T4 with real Cityscapes.
#
# **You need from before:** SegNet's blocks, heads, `pool` and `unpool` (chapter 02); tasks and the Split
# network (chapter 03).

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Attention", minutes_cpu=1, minutes_gpu=6)

# %%
import copy
import math
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from course_utils import data, models, plots, tasks
from course_utils.exercises import check, compare, progress
from course_utils.models.segnet import (
    CONVOLUTIONS,
    FILTERS,
    LEVELS,
    Decoder,
    Encoder,
    Head,
    convolution,
    filters_at,
    initialise,
    pool,
    unpool,
)
from course_utils.sliders import sliders

plt.rcParams.update(plots.STYLE)

torch.manual_seed(0)
print("filters of the five levels:", FILTERS)

# %% [markdown]
# ## 1. What hard sharing cannot do
#
# The Split network of chapter 03 is **hard sharing**: one encoder, one decoder, and every head reads the
# same last feature. Each task must take every feature as it is, at every pixel. But tasks differ. The
# colour of a surface helps to tell a wall from a hedge, and says nothing about its distance. The lower edge
# of a car says where the car stands, whatever its class. The first place in Split where a task can say
# "less of this feature" is its own head, after everything has been computed.
#
# One network per task solves that, and shares nothing. MTAN stands between. It keeps **one** shared
# network, a common pool of features, and gives each task its own **selector** at each level of that
# network:
#
# $$\hat a_i = a_i \odot p, \qquad 0 \le a_i \le 1 .$$
#
# * $p$ is a shared feature, the same for all tasks;
# * $a_i$ is the **mask** of task $i$, of the same shape as $p$;
# * $\odot$ multiplies value by value;
# * $\hat a_i$ is the **attended feature**. It belongs to task $i$ alone.
#
# A mask value of 1 passes the feature on, 0 shuts it off, 0.5 halves it. A gate that can stand half open is
# called **soft attention**. It has a gradient, so it can be learned. A hard gate, open or shut, has none.

# %% [markdown]
# ### How fine must a mask be?
#
# A mask could hold one value for each pixel, or one for each channel, or one for each pixel **and**
# channel. MTAN takes the last. To see why, take two features on an image of 2 × 2 pixels: $p_0 = 2$ and
# $p_1 = 1$ everywhere. A task wants feature 0 in the left column and feature 1 in the right column, and
# nothing else.
#
# **Predict.** Which of the three kinds of masks can give exactly that? For the others, which single value
# is best in the left column (one mask value for both channels there)? Minimise $(2a - 2)^2 + (a - 0)^2$ on
# paper.

# %%
p = torch.stack([torch.full((2, 2), 2.0), torch.full((2, 2), 1.0)])[None]  # [B=1, C=2, H=2, W=2]
left = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
wanted = p * torch.stack([left, 1 - left])

# The best mask in the sense of least squares, when the mask must be the same along some dimensions.
same_along = {"one per pixel": (1,), "one per channel": (2, 3), "one per pixel and channel": (0,)}
for kind, dimensions in same_along.items():
    best = (wanted * p).sum(dimensions, keepdim=True) / (p * p).sum(dimensions, keepdim=True)
    error = (best * p - wanted).square().mean()
    print(f"{kind:26s} mask {list(best.shape)!s:13s} mean squared error {error:.3f}")

# %% [markdown]
# On paper: the derivative $4(2a - 2) + 2a$ is zero at $a = 0.8$, which still lets 0.8 of the unwanted
# feature through. A mask with one value per pixel can dim a **place**. It cannot prefer one feature to
# another there, since both shrink by the same factor. A mask with one value per channel prefers a
# **feature**, but everywhere alike. Only the full mask can say "this feature, here", and its error is 0.
#
# The price of a full mask is small, as section 3 shows: it is computed by convolutions of kernel size 1.

# %% [markdown]
# ## 2. The gate by hand
#
# How does a network compute a mask from features? In its smallest form, with a 1×1 convolution and a
# sigmoid.
#
# A **1×1 convolution** looks at one pixel at a time. It multiplies the vector of that pixel's channels by a
# matrix, the same for all pixels. The **sigmoid** $\sigma(z) = 1 / (1 + e^{-z})$ maps any number $z$,
# the **logit**, into 0..1.
#
# Let $u$ be a feature with two channels on 2 × 2 pixels, $p$ another one, and
#
# $$a = \sigma(W u), \qquad W = \ln 3 \cdot \begin{pmatrix} 1 & -1 \\ -1 & 1 \end{pmatrix},
# \qquad \hat a = a \odot p .$$
#
# The factor $\ln 3$ is there for your paper: $\sigma(k \ln 3) = 3^k / (3^k + 1)$, so $k = -2, -1, 0, 1, 2$
# give 0.1, 0.25, 0.5, 0.75, 0.9.
#
# **Predict.** With the tensors below, compute the mask of channel 0 at the four pixels on paper, then the
# attended feature.

# %%
u = torch.tensor([[[[1.0, 0.0], [2.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]])  # [1, 2, 2, 2]
p = torch.tensor([[[[4.0, 4.0], [10.0, 2.0]], [[8.0, 0.0], [10.0, 2.0]]]])
W = math.log(3) * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
print("u, channel 0\n", u[0, 0])
print("u, channel 1\n", u[0, 1])

# %% [markdown]
# {{exercise 04.attention_mask}}
#
# Write the equation as a function. It gets features $u$ of shape [B, C, h, w] and a matrix $W$ of shape
# [channels, C], and returns the mask, [B, channels, h, w]. At each pixel the vector of the C channels of $u$
# is multiplied by $W$. The logits can be very large, such as 1000 or −1000; the mask must not become NaN.
#
# <details><summary>Stuck?</summary>
#
# Three ways lead to $Wu$ at every pixel. `torch.einsum` takes the letters of the axes as a text: which letter
# is summed over? `torch.nn.functional.conv2d` wants the matrix with two more axes of length 1 behind. And the
# `@` of matrices acts on the last axis, so the channels can be moved there and back with `movedim`.
#
# </details>


# %%
def attention_mask(u, W):
    ### BEGIN SOLUTION
    # Per pixel: the matrix W times the vector of its channels, then the sigmoid, which torch computes without overflow.
    return torch.sigmoid(torch.einsum("oc,bchw->bohw", W, u))
    ### END SOLUTION


# %%
attention_mask = check("04.attention_mask", attention_mask)

# %% [markdown]
# {{exercise 04.attend}}
#
# Now equation $\hat a = a \odot p$: a function of the mask and $p$, both [B, C, h, w]. There is a trap in
# torch itself. A mask of one channel, [B, 1, h, w], times $p$ raises no error: torch repeats the one channel
# for all of them (**broadcasting**), and the network trains with the wrong kind of mask. So your function
# should raise a `ValueError`, with a helpful message, when mask and $p$ do not have the same shape.


# %%
def attend(mask, p):
    ### BEGIN SOLUTION
    if mask.shape != p.shape:
        raise ValueError(f"mask: expected the shape of p, {list(p.shape)}, got {list(mask.shape)}.")
    return mask * p
    ### END SOLUTION


# %%
attend = check("04.attend", attend)

# %% [markdown]
# Now compare with your paper.

# %%
a = attention_mask(u, W)
attended = attend(a, p)
print("mask of channel 0\n", a[0, 0])
print("mask of channel 1\n", a[0, 1])
print("attended, channel 0\n", attended[0, 0].round(decimals=3))
print("attended, channel 1\n", attended[0, 1].round(decimals=3))

# %% [markdown]
# Channel 0 subtracts: $u_0 - u_1 = 1, -1, 2, 0$, so its mask is 0.75, 0.25, 0.9, 0.5, and the attended
# feature is 3, 1, 9, 1. Channel 1 does the opposite. Look at the lower left pixel: the mask passes 90 % of
# feature 0 and 10 % of feature 1 **at the same pixel**. And where $p$ is 0 (channel 1, upper right) the
# attended feature is 0 whatever the mask says: a mask selects, it adds nothing.
#
# The same in torch's own words: `nn.Conv2d` with kernel size 1 holds exactly this matrix.

# %%
conv1x1 = nn.Conv2d(2, 2, kernel_size=1, bias=False)
conv1x1.weight.data = W[:, :, None, None]
print("weight:", list(conv1x1.weight.shape))
print("same mask:", torch.allclose(torch.sigmoid(conv1x1(u)), a))

# %% [markdown]
# ### Why a sigmoid?
#
# Other functions map numbers to a useful range. A **softmax** over the channels makes the gates compete:
# their sum is 1. A ReLU has no upper bound, so it can also amplify.
#
# **Predict.** Two features are both very useful, both logits are 3. What do sigmoid, softmax and ReLU give?

# %%
useful = torch.tensor([3.0, 3.0])
print("sigmoid", torch.sigmoid(useful))
print("softmax", torch.softmax(useful, dim=0))
print("relu   ", torch.relu(useful))
many = torch.softmax(torch.full((512,), 3.0), dim=0)
print(f"softmax over 512 equal channels: {many[0]:.5f} each")

# %% [markdown]
# With the sigmoid each gate decides alone: both features pass at 0.95. The softmax halves both, and with
# the 512 channels of the deepest level hardly anything would pass. The ReLU triples them: scale and
# selection mix.
#
# The price of the sigmoid: its slope $a (1 - a)$ is at most 0.25, and nearly 0 for a gate that is nearly
# open or nearly shut. We meet that slope again in section 3.

# %% [markdown]
# ## 3. The attention module
#
# The published module is the gate above with two layers in place of one, and with **batch normalisation**:
#
# $$a = h(g(x)), \qquad
# g = \text{ReLU} \circ \text{BN} \circ \text{conv}_{1\times1}, \qquad
# h = \sigma \circ \text{BN} \circ \text{conv}_{1\times1} .$$
#
# * $x$, the input, is what the mask is computed **from**. It has `inputs` channels.
# * $g$ brings them to the channels of $p$ and can combine them; with its ReLU the two layers are more than
#   one matrix.
# * $h$ makes the mask: one value per pixel and channel.
#
# | tensor | shape |
# |---|---|
# | source $x$ | [B, inputs, h, w] |
# | after $g$ | [B, channels, h, w] |
# | mask $a = h(g(x))$ | [B, channels, h, w] |
# | shared feature $p$ | [B, channels, h, w] |
# | attended $\hat a = a \odot p$ | [B, channels, h, w] |
#
# What the module returns is a named tuple, so that later cells can ask for each of the three by name.

# %%
class Attention(NamedTuple):
    """What one task saw at one level. All are [B, channels, h, w]."""

    shared: torch.Tensor  # p
    mask: torch.Tensor  # a, in 0..1
    attended: torch.Tensor  # a * p


print("what a module returns:", Attention._fields)

# %% [markdown]
# {{exercise 04.AttentionModule}}
#
# Fill in two places. In `__init__`: the layers of $g$, then those of $h$; both convolutions with bias, as in
# the paper. In `forward`: `mask`, computed from `source`. The lines that are given multiply and return. You
# may give your layers any names.
#
# <details><summary>Stuck?</summary>
#
# `convolution(inputs, outputs, kernel=...)` from chapter 02 makes a convolution, a batch normalisation and a
# ReLU. Which of the two, $g$ or $h$, is that? The other one is an `nn.Sequential` of three layers that you
# write out. A whole solution stands in [the solutions](solutions/04_attention.ipynb).
#
# </details>


# %%
class AttentionModule(nn.Module):
    """source [B, inputs, h, w] and shared [B, channels, h, w] -> Attention, each [B, channels, h, w]."""

    def __init__(self, inputs, channels, residual=False):
        super().__init__()
        self.residual = residual  # section 7 needs it
        ### BEGIN SOLUTION
        self.hidden = convolution(inputs, channels, kernel=1)  # g
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Sigmoid())  # h
        ### END SOLUTION

    def forward(self, source, shared):
        ### BEGIN SOLUTION
        mask = self.mask(self.hidden(source))
        ### END SOLUTION
        attended = (mask + 1) * shared if self.residual else mask * shared
        return Attention(shared, mask, attended)


# %%
AttentionModule = check("04.AttentionModule", AttentionModule)

# %% [markdown]
# First the numbers of section 2 again. With the identity as the matrix of $g$ (the ReLU changes nothing,
# since no $u$ is negative) and $W$ as the matrix of $h$, the module must give the mask that you have on
# paper. In evaluation mode a fresh batch normalisation divides by $\sqrt{1 + 10^{-5}}$, hence "to 4
# digits".

# %%
def layers(network, kind):
    """All layers of one kind in a network, in the order in which they were made."""
    return [layer for layer in network.modules() if isinstance(layer, kind)]


by_hand = AttentionModule(2, 2).eval()
of_g, of_h = layers(by_hand, nn.Conv2d)
with torch.no_grad():
    of_g.weight.copy_(torch.eye(2)[:, :, None, None])
    of_h.weight.copy_(W[:, :, None, None])
    of_g.bias.zero_()
    of_h.bias.zero_()
    seen = by_hand(u, p)
print(seen.mask[0, 0])
print("mask as on paper:    ", torch.allclose(seen.mask, a, atol=1e-4))
print("attended as on paper:", torch.allclose(seen.attended, a * p, atol=1e-3))

# %% [markdown]
# **To think through (5 minutes).** Give the bias of `of_h` the value $\ln 3$ in both channels. What happens
# to the four mask values of channel 0? Compute first.
#
# <details><summary>One answer</summary>
#
# Each $k$ grows by one: 2, 0, 3, 1 give 0.9, 0.5, 27/28 ≈ 0.964, 0.75. A bias opens all gates of a channel.
# In training mode it does nothing at all: the batch normalisation behind it subtracts the mean, and the
# bias with it. What opens or shuts the gates of a channel is the normalisation's own shift, $\beta$.
#
# </details>

# %% [markdown]
# ### Where the masks start
#
# In training mode the batch normalisation in $h$ gives each channel mean 0 and standard deviation 1 before
# the sigmoid.
#
# **Predict.** So the mask values of a fresh module have the mean 0.5. How far do they spread around it, as a
# standard deviation, whatever the input? (The sigmoid's slope at 0 is 0.25.) Write your guess into the first
# line, then run the cell.

# %%
### BEGIN SOLUTION
guess = 0.2
### END SOLUTION
torch.manual_seed(0)
module = AttentionModule(6, 4)
source = 5 + 3 * torch.randn(8, 6, 16, 24)  # neither centred nor of unit scale
seen = module(source, torch.rand(8, 4, 16, 24))
per_channel = seen.mask.detach().mean(dim=(0, 2, 3))
print("mean of each channel:", [round(mean, 1) for mean in per_channel.tolist()])
print("all in 0..1:", bool((seen.mask >= 0).all() and (seen.mask <= 1).all()))
compare("04.fresh_spread", guess, seen.mask.std())

# %% [markdown]
# Half open on average, and spread by about 0.2 (a little less than the slope 0.25, because the sigmoid
# flattens). So an untrained mask is not flat: it varies from pixel to pixel, by a random matrix. **Keep
# this for section 9**: that a mask shows a picture, and that two tasks' masks differ, is true before the
# first training step.
#
# What training can do from here is mostly in two numbers per channel, the scale $\gamma$ and the shift
# $\beta$ of the last batch normalisation: the logits have mean $\beta$ and standard deviation $\gamma$.
#
# **Predict.** Which of the two opens a channel's gates on average? Which one makes a soft gate nearly hard,
# and what does that cost? Start with $\gamma = 1$, $\beta = 0$; then move the sliders.

# %%
def draw(scale=1.0, shift=0.0):
    """The mask values of one channel whose logits are bell-shaped, with this spread and mean."""
    logits = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    mask = torch.sigmoid(scale * logits + shift)
    figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
    axis.hist(mask, bins=40, range=(0, 1), weights=torch.full_like(mask, 100 / len(mask)), color="0.45")
    axis.set(xlabel="mask value a", ylabel="share of the pixels (%)", xlim=(0, 1))
    axis.set_title(f"scale $\\gamma$ = {scale:g}, shift $\\beta$ = {shift:g}")
    plots.show(figure, f"Histogram of mask values from 0 to 1, for scale {scale:g} and shift {shift:g}.")
    slope = (mask * (1 - mask)).mean()
    print(f"mean {mask.mean():.2f}, spread {mask.std():.2f}, mean slope a (1 - a) {slope:.2f}, at most 0.25")


draw()

# %%
sliders(draw, scale=(0.0, 10.0, 0.5), shift=(-5.0, 5.0, 0.5))

# %% [markdown]
# $\beta$ opens ($\beta > 0$) or shuts the gates of a channel at all pixels alike. A large $\gamma$ drives
# the values to the two ends: at $\gamma = 10$ most gates are open or shut. The price is the slope. It is the
# factor by which the sigmoid multiplies the gradient, and it falls with every gate that stands near an end.
# With $\gamma = 0$ every pixel gets the same mask, $\sigma(\beta)$: one value per channel.

# %% [markdown]
# ### Why 1×1?
#
# **Predict.** We change the source at one pixel. With kernel size 1 the mask changes at that pixel only. At
# how many pixels would it change if both convolutions were 3×3?

# %%
### BEGIN SOLUTION
guess = 25
### END SOLUTION


def pixels_changed(path):
    """How many mask pixels depend on one source pixel. A path leads from the source to the mask."""
    source = torch.rand(1, 6, 16, 24)
    changed = source.clone()
    changed[0, :, 8, 12] += 1
    with torch.no_grad():
        difference = path(changed) - path(source)
    return int((difference.abs().amax(dim=1) > 0).sum())


module.eval()  # no batch statistics: they would join all the pixels
wide = nn.Sequential(convolution(6, 4, kernel=3), nn.Conv2d(4, 4, 3, padding=1), nn.Sigmoid()).eval()
for name, candidate in {"1x1": module, "3x3": wide}.items():
    print(f"{name}: {sum(layer.weight.numel() for layer in layers(candidate, nn.Conv2d))} weights")
print("1x1:", pixels_changed(lambda source: module(source, torch.ones(1, 4, 16, 24)).mask), "pixel changes")
compare("04.pixels_3x3", guess, pixels_changed(wide))

# %% [markdown]
# Two 3×3 convolutions in a row see 5 × 5 = 25 pixels. With 1×1 each pixel's gates depend on that pixel's
# features alone, at a ninth of the weights. That is enough: the features it reads have passed 3×3
# convolutions already, so each of them has seen a neighbourhood. (The first arXiv version of the paper used
# a 3×3 kernel here. The CVPR version is smaller.)
#
# Our module and the package's are the same piece. We copy the weights layer by layer, and compare:

# %%
def copy_weights(source, target):
    """From each convolution and each batch normalisation to its counterpart, whatever their names."""
    for kind in (nn.Conv2d, nn.BatchNorm2d):
        for one, other in zip(layers(source, kind), layers(target, kind), strict=True):
            other.load_state_dict(one.state_dict())


def same(one, other):
    return torch.allclose(one, other, atol=1e-5)


package_module = models.attention.AttentionModule(6, 4)
copy_weights(module, package_module)
module.train(), package_module.train()
source, shared = torch.rand(2, 6, 13, 21), torch.rand(2, 4, 13, 21)
ours, theirs = module(source, shared), package_module(source, shared)
print("same mask:    ", same(ours.mask, theirs.mask))
print("same attended:", same(ours.attended, theirs.attended))

# %% [markdown]
# ## 4. Where the module sits
#
# Each of SegNet's ten blocks gets one module **per task**. Three tensors meet there:
#
# * $u^{(j)}$, from the shared network: what the mask is computed from;
# * $p^{(j)}$, from the shared network: what the mask multiplies, the output of the block's **last**
#   convolution;
# * $v_i^{(j)}$, from the same task's attention at the level before, brought to the size and channels of
#   this level.
#
# For task $i$ at level $j$ (the paper's equations 1 and 2):
#
# $$\hat a_i^{(j)} = a_i^{(j)} \odot p^{(j)} \qquad (1)$$
#
# $$a_i^{(j)} = h_i^{(j)} \left( g_i^{(j)} \left( \left[ u^{(j)} ; v_i^{(j)} \right] \right) \right),
# \quad j \ge 2,
# \qquad v_i^{(j)} = f^{(j)} \left( \hat a_i^{(j-1)} \right) \qquad (2)$$
#
# $[\,;\,]$ puts channels behind channels: **concatenation**. The first level has no level before it, so its
# mask comes from $u^{(1)}$ alone. $f$ is a convolution 3×3, batch normalisation and ReLU, and a change of
# size. It has no index $i$: all tasks share it. $g$ and $h$ have one: each task has its own.
#
# Encoder and decoder differ in two places:
#
# | | $u$ | change of size in $f$ |
# |---|---|---|
# | encoder | output of the block's **first** convolution | convolution, **then** max-pool by 2 |
# | decoder | the **unpooled** tensor, before any convolution | bilinear by 2, **then** convolution |
#
# Both ways the $f$ step does on the task's side what the shared network does between its blocks. The
# drawing shows it (after the lower part of the paper's figure 2).

# %%
BLUE, ORANGE, GREY, GREEN, WHITE = "#A6CEE8", "#F5C96B", "0.88", "#9FDCC6", "white"
ARROW = {"arrowstyle": "-|>", "color": "0.2", "shrinkA": 1, "shrinkB": 1}


def row(axis, y, boxes, labels=()):
    """Boxes (x, text, colour), joined by arrows; without text: a loose end. Labels are (x, text)."""
    drawn = []
    for x, text, colour in boxes:
        style = {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": "0.2"}
        style["linestyle"] = "--" if colour == ORANGE else "-"
        style = style if text else None
        drawn.append(axis.text(x, y, text, ha="center", va="center", fontsize=9, bbox=style))
    for start, end in zip(drawn, drawn[1:], strict=False):
        patches = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
        axis.annotate("", end.get_position(), start.get_position(), arrowprops=ARROW | patches)
    for x, text in labels:
        axis.text(x, y + 0.08, text, ha="center")


def upwards(axis, x, label, side):
    """An arrow from the shared network up to the task."""
    axis.plot(x, 0, "o", color="0.2", markersize=4)
    axis.annotate("", (x, 0.87), (x, 0), arrowprops=ARROW)
    axis.text(x + side, 0.4, label, ha="center")

# %%
gate = [
    (2, "[ u ; v ]", WHITE), (3.2, "g\nconv 1×1\nBN, ReLU", BLUE),
    (4.4, "h\nconv 1×1\nBN, sigmoid", BLUE), (5.6, "⊙", WHITE),
]  # fmt: skip
f_text, start, end = "f\nconv 3×3\nBN, ReLU", (-0.6, "", GREY), (8.7, "", GREY)
first, others = (0.6, "first\nconvolution", GREY), (3.8, "the block's other\nconvolutions", GREY)
unpooling, block = (0.6, "max-unpool", GREY), (3.8, "all the block's\nconvolutions", GREY)
print("modules per task:", 2 * len(FILTERS), "- one for each block of the encoder and of the decoder")

# %%
figure, axes = plt.subplots(2, 1, figsize=(9.5, 5), layout="constrained")
row(axes[0], 1, [(0, "", GREY), *gate, (6.75, f_text, ORANGE), (7.85, "max-pool", GREEN), end],
    [(0.9, "v"), (5.18, "a"), (6.05, "â"), (8.5, "v")])  # fmt: skip
row(axes[0], 0, [start, first, others, (7.85, "max-pool", GREY), end])
row(axes[1], 1, [(-1.5, "", GREY), (-0.4, "bilinear ×2", GREEN), (0.75, f_text, ORANGE), *gate, end],
    [(-1.1, "â"), (1.4, "v"), (5.18, "a"), (7.1, "â")])  # fmt: skip
row(axes[1], 0, [start, unpooling, block, end])
for axis, form in zip(axes, ("encoder form", "decoder form"), strict=True):
    axis.set(xlim=(-1.6, 8.8), ylim=(-0.55, 1.5))
    axis.set_title(form, loc="left")
    axis.set_axis_off()
    upwards(axis, 2, "u", -0.15)
    upwards(axis, 5.6, "p", 0.15)
    axis.text(-1.5, 1.4, "one task", fontsize=9, color="0.35")
    axis.text(-1.5, -0.45, "shared network", fontsize=9, color="0.35")
plots.show(
    figure,
    "Two block diagrams of the attention module. In both, the concatenation of u and v passes g and h, which "
    "give the mask a; the mask multiplies p and gives the attended feature. Encoder form: u comes after the "
    "block's first convolution, p after its last, and the attended feature passes f, then a max-pool. "
    "Decoder form: bilinear enlargement and f come first and give v; u is the unpooled tensor.",
)
print(f"{len(axes)} forms of one module")
print("blue: each task has its own; dashed orange: all tasks share it; grey: the shared network")

# %% [markdown]
# ### The two changes of size, on four pixels
#
# `halve` is the max-pool of chapter 02 without its indices: nobody unpools a task's feature. `enlarge` is
# **bilinear**: it lays the pixels on a line and reads off values between them. With `align_corners=True`
# the first and last pixel stay where they are.
#
# **Predict.** The row 0, 3 is enlarged to four pixels. Which values appear? And which size has the half of
# 5 × 7?

# %%
def halve(features):
    return F.max_pool2d(features, 2, stride=2, ceil_mode=True)


def enlarge(features, like):
    return F.interpolate(features, size=like.shape[2:], mode="bilinear", align_corners=True)


small = torch.tensor([[[[0.0, 3.0], [6.0, 9.0]]]])
print(enlarge(small, like=torch.empty(1, 1, 4, 4))[0, 0].round(decimals=3))
print("halve:", list(halve(torch.rand(1, 1, 5, 7)).shape))
print("back: ", list(enlarge(torch.rand(1, 1, 3, 4), like=torch.empty(1, 1, 5, 7)).shape))

# %% [markdown]
# 0, 1, 2, 3: the two ends stay and the steps between are equal. A side of 5 gives 3, rounded up, as in
# `pool`. `enlarge` takes the size from the tensor it will be concatenated with, not "times two": so odd
# sizes fit.

# %% [markdown]
# ### Book-keeping of channels
#
# In the paper $F_1 \dots F_5$ are 64, 128, 256, 512, 512. (As in the paper, the levels are counted from 1 in
# the text and in names like `encoder1`; in the code `j` counts from 0.) An encoder block works at $F_j$. A
# decoder block gets $F_j$ and gives $F_{j-1}$ (the last one keeps $F_1$).

# %% [markdown]
# {{exercise 04.channel_table}}
#
# How many channels have $u$, $v$ and $p$ at each of the ten levels? Write it on paper for the paper's
# filters first, then as a function for any five `filters` $F_1 \dots F_5$. It returns a dict from the level's
# name, "encoder1" to "encoder5" and "decoder5" to "decoder1", to the three numbers (u, v, p). Where there is
# no $v$, write 0.
#
# <details><summary>Stuck?</summary>
#
# Follow one tensor at a time. For $u$: has any convolution of this block changed the channels yet? For $v$:
# what does $f$ lead to? For $p$: what does the block give? The drawing above and the sentence on the
# channels of a decoder block answer all three.
#
# </details>


# %%
def channel_table(filters):
    ### BEGIN SOLUTION
    shallower = [filters[0], *filters[:-1]]  # one level further up
    table = {}
    for j in LEVELS:
        table[f"encoder{j + 1}"] = (filters[j], 0 if j == 0 else filters[j], filters[j])
    for j in reversed(LEVELS):
        table[f"decoder{j + 1}"] = (filters[j], shallower[j], shallower[j])
    return table
    ### END SOLUTION


# %%
channel_table = check("04.channel_table", channel_table)

# %%
table = channel_table(FILTERS)
print("level       u     v   into g     p")
for level, (from_u, from_v, from_p) in table.items():
    print(f"{level}  {from_u:4d}  {from_v:4d}  {from_u + from_v:7d}  {from_p:4d}")

# %% [markdown]
# In the encoder $u$, $v$ and $p$ have the same channels, so $g$ reads $2F_j$. In the decoder $u$ still has
# the many channels of the level below, since no convolution has reduced them yet: 512 + 512, 512 + 256,
# 256 + 128, 128 + 64, 64 + 64. Test 1 of section 6 checks the built network against the package's.

# %% [markdown]
# ## 5. MTAN, piece by piece
#
# Four pieces, each small: the transforms $f$, the ten modules of one task, the shared network's $u$ and
# $p$, and the network that joins them.
#
# ### Piece 1: the transforms f
#
# One for each level. In the encoder $f$ leads to the channels of the next level down, in the decoder to
# those of the level it arrives at.

# %%
class AttentionTransforms(nn.Module):
    def __init__(self, filters):
        super().__init__()
        deeper = [*filters[1:], filters[-1]]
        shallower = [filters[0], *filters[:-1]]
        self.encoder = nn.ModuleList(convolution(filters[j], deeper[j]) for j in LEVELS)
        self.decoder = nn.ModuleList(convolution(filters[j], shallower[j]) for j in LEVELS)


transforms = AttentionTransforms(FILTERS)
for form in ("encoder", "decoder"):
    print(form, [f"{f[0].in_channels}→{f[0].out_channels}" for f in getattr(transforms, form)])

# %% [markdown]
# ### Piece 2: one task's attention, down and up
#
# What the shared network offers at a level is a pair, $u$ and $p$. One step of the task's attention takes it
# in, together with what the same task saw before. There are two kinds of steps, as in the drawing.

# %%
class Shared(NamedTuple):
    """What the shared network offers the tasks at one level."""

    source: torch.Tensor  # u
    feature: torch.Tensor  # p


print("a level of the shared network:", Shared._fields)

# %% [markdown]
# {{exercise 04.encoder_step}}
#
# One task at one encoder level. The function gets
#
# * `module`, the `AttentionModule` of this task and level;
# * `transform`, the $f$ that leads to the next level: convolution, batch normalisation, ReLU, without the
#   change of size;
# * `level`, the `Shared` of this level;
# * `before`, the $v$ of this level, already of the right size. At the first level it is `None`.
#
# It returns two things: the level's `Attention`, and the $v$ of the **next** level. In the concatenation $u$
# comes first, then $v$. You have `halve`.
#
# <details><summary>Stuck?</summary>
#
# The upper half of the drawing, from left to right, is one line of Python for each arrow. `torch.cat` needs
# to know along which axis; the channels of [B, C, h, w] are not the first one.
#
# </details>


# %%
def encoder_step(module, transform, level, before):
    source, feature = level
    ### BEGIN SOLUTION
    seen = source if before is None else torch.cat([source, before], dim=1)
    attention = module(seen, feature)
    return attention, halve(transform(attention.attended))
    ### END SOLUTION


# %%
encoder_step = check("04.encoder_step", encoder_step)

# %% [markdown]
# {{exercise 04.decoder_step}}
#
# One task at one decoder level. The arguments are the same, with one difference: `before` is what the task
# attended to one level **below**, still with that level's size and channels. Here the step begins with it.
# The function returns the level's `Attention`. Again $u$ comes first in the concatenation. You have
# `enlarge`.
#
# <details><summary>Stuck?</summary>
#
# The lower half of the drawing. In which order do `bilinear` and $f$ stand there? And the size of which
# tensor must $v$ have, so that the two can be concatenated?
#
# </details>


# %%
def decoder_step(module, transform, level, before):
    source, feature = level
    ### BEGIN SOLUTION
    seen = transform(enlarge(before, like=source))
    return module(torch.cat([source, seen], dim=1), feature)
    ### END SOLUTION


# %%
decoder_step = check("04.decoder_step", decoder_step)

# %% [markdown]
# Five steps down and five up are a task's attention. `going_down[j]` holds $u$ and $p$ of encoder level $j$,
# `going_up[j]` those of decoder level $j$. The decoder's first input is the encoder's last output: the halved
# $f(\hat a)$ of encoder level 5. The class makes the ten modules, with the channels of your table, and takes
# the ten steps.

# %%
class TaskAttention(nn.Module):
    def __init__(self, filters, residual):
        super().__init__()
        table = channel_table(filters)

        def level_modules(form):
            rows = [table[f"{form}{j + 1}"] for j in LEVELS]
            return nn.ModuleList(AttentionModule(u + v, p, residual) for u, v, p in rows)

        self.encoder, self.decoder = level_modules("encoder"), level_modules("decoder")

    def forward(self, going_down, going_up, transforms):
        levels, before = {}, None
        for j in LEVELS:
            seen, before = encoder_step(self.encoder[j], transforms.encoder[j], going_down[j], before)
            levels[f"encoder{j + 1}"] = seen
        for j in reversed(LEVELS):
            seen = decoder_step(self.decoder[j], transforms.decoder[j], going_up[j], before)
            levels[f"decoder{j + 1}"], before = seen, seen.attended
        return levels


of_a_task = TaskAttention(FILTERS, residual=False)
print("modules of one task:", len(layers(of_a_task, AttentionModule)))

# %% [markdown]
# ### Piece 3: u and p of the shared network
#
# The shared network is the SegNet of chapter 02, run once. We only stop on the way to keep $u$ and $p$. A
# block is an `nn.Sequential` of convolutions (each with its batch normalisation and ReLU), so
# `first, *others = block` takes it apart.
#
# **Predict.** Where does $p$ come from in relation to the pool: is it the tensor before the pool, or after?

# %% [markdown]
# {{exercise 04.shared_features}}
#
# Run the shared network once, and return two lists of `Shared`, each with five entries: `going_down[j]` with
# $u$ and $p$ of encoder level `j`, and `going_up[j]` with those of **decoder level `j`**, in the same order,
# though the decoder begins with the deepest. You have `pool(features)`, which gives the halved features and
# the indices; `unpool(features, indices, size)`; `encoder.blocks[j]` and `decoder.blocks[j]`. Images have any
# height and width. No convolution may run twice: its batch normalisation would count it twice.
#
# <details><summary>Stuck?</summary>
#
# Write the loop down first, and print the shapes of one small image. For the way up you need three things
# that only the way down knows: the deepest features, each level's indices, and each level's size before the
# pool. The size is that of a tensor that you keep anyway. A list can be filled from the back, or turned
# round at the end.
#
# </details>


# %%
def shared_features(encoder, decoder, images):
    ### BEGIN SOLUTION
    going_down, indices, features = [], [], images
    for first, *others in encoder.blocks:
        source = first(features)  # u: after the first convolution
        feature = nn.Sequential(*others)(source)  # p: after the last one, before the pool
        going_down.append(Shared(source, feature))
        features, where = pool(feature)
        indices.append(where)
    going_up = []
    for j in reversed(LEVELS):
        source = unpool(features, indices[j], going_down[j].feature.shape[2:])  # u: unpooled
        features = decoder.blocks[j](source)  # p: after the block
        going_up.insert(0, Shared(source, features))
    return going_down, going_up
    ### END SOLUTION


# %%
shared_features = check("04.shared_features", shared_features)

# %% [markdown]
# $p$ comes before the pool: mask and feature have the block's full size. Let us look at the shapes in a small
# SegNet (width 1/8, so 8, 16, 32, 64, 64 channels), on an image whose sides are no multiples of 32.

# %%
torch.manual_seed(0)
filters = filters_at(1 / 8)
going_down, going_up = shared_features(Encoder(filters), Decoder(filters), torch.rand(1, 3, 45, 70))
print("level     u                p")
for form, levels in {"encoder": going_down, "decoder": going_up}.items():
    for j, (source, feature) in enumerate(levels, start=1):
        print(f"{form}{j}  {list(source.shape)!s:15}  {list(feature.shape)}")

# %% [markdown]
# ### Piece 4: the network
#
# Now the network is short. It has five parts, under these names, which later cells use:
#
# | part | what it is |
# |---|---|
# | `encoder`, `decoder` | the shared SegNet |
# | `transforms` | an `AttentionTransforms`, all the $f$ |
# | `attention` | for each task's name its `TaskAttention(filters, residual_mask)` |
# | `heads` | for each task's name its `Head(filters[0], task)` |
#
# The heads are those of chapter 03. They read the attended feature of the **last decoder level**.

# %% [markdown]
# {{exercise 04.MTAN}}
#
# Fill in two places. In `__init__`: `self.transforms`, `self.attention` and `self.heads`, for any number of
# tasks; a task has a `name`. In `forward`: fill the two dicts. `predictions` gets, for each task's name, what
# its head makes of the right feature. `attention` gets what the task's `TaskAttention` returns, a dict from
# "encoder1" ... "decoder1" to `Attention`. The two lists of shared features are given.
#
# <details><summary>Stuck?</summary>
#
# A plain dict or list hides layers: torch does not look into it, so the optimiser never sees their weights.
# What looks like a dict and registers its entries? For `forward`: which keys does that container have, and
# which arguments does `TaskAttention.forward` take? A whole solution stands in
# [the solutions](solutions/04_attention.ipynb).
#
# </details>


# %%
class MTAN(nn.Module):
    """Images [B, 3, H, W] -> {task.name: [B, task.channels, H, W]}; with return_attention also the attention."""

    def __init__(self, tasks, width=1.0, residual_mask=False):
        super().__init__()
        filters = filters_at(width)
        self.encoder = Encoder(filters)
        self.decoder = Decoder(filters)
        ### BEGIN SOLUTION
        self.transforms = AttentionTransforms(filters)
        self.attention = nn.ModuleDict({task.name: TaskAttention(filters, residual_mask) for task in tasks})
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in tasks})
        ### END SOLUTION
        initialise(self)

    def forward(self, images, return_attention=False):
        going_down, going_up = shared_features(self.encoder, self.decoder, images)
        predictions, attention = {}, {}
        ### BEGIN SOLUTION
        for name, head in self.heads.items():
            attention[name] = levels = self.attention[name](going_down, going_up, self.transforms)
            predictions[name] = head(levels["decoder1"].attended)
        ### END SOLUTION
        return (predictions, attention) if return_attention else predictions


# %%
MTAN = check("04.MTAN", MTAN)

# %% [markdown]
# With `return_attention=True` it also returns everything that each task saw: task name, then level, then
# (shared, mask, attended). We use it in all the tests that follow, and chapter 07 draws pictures of it.

# %%
todo = [tasks.segmentation(7), tasks.depth()]
K = len(todo)
torch.manual_seed(0)
model = MTAN(todo, width=1 / 8)
predictions, attention = model(torch.rand(2, 3, 45, 70), return_attention=True)
for name, prediction in predictions.items():
    print(f"{name}: {list(prediction.shape)}, {len(attention[name])} levels of attention")
print("mask at encoder1:", list(attention["depth"]["encoder1"].mask.shape))
print("mask at encoder5:", list(attention["depth"]["encoder5"].mask.shape))

# %% [markdown]
# ## 6. Is it really MTAN?
#
# A network that runs is not yet a network that is right. Six tests, each of one property.
#
# ### Test 1: the channels, at full width
#
# The **meta device** builds a network without storage: shapes only, in an instant. We compare all its
# convolutions with those of the package's `MTAN`, part by part.

# %%
def parts(network):
    """The shared parts, then each task's, in the order of the tasks' names."""
    of_tasks = [part for name in sorted(network.heads) for part in (network.attention[name], network.heads[name])]
    return [network.encoder, network.decoder, network.transforms, *of_tasks]


with torch.device("meta"):
    full, package_full = MTAN(todo), models.mtan.MTAN(todo)
channels = [
    [(layer.in_channels, layer.out_channels) for part in parts(network) for layer in layers(part, nn.Conv2d)]
    for network in (full, package_full)
]
print(len(channels[0]), "convolutions, all with the same channels:", channels[0] == channels[1])

# %% [markdown]
# ### Test 2: the same network as the package's
#
# We copy our weights into the package's `MTAN`, and compare every prediction and every mask, on a random
# image that is neither square nor a multiple of 32. (We build the class itself: `models.build` also changes
# the order of the weights in memory, for speed, and the last digit of a sum with it.)

# %%
def copy_network(source, target):
    for one, other in zip(parts(source), parts(target), strict=True):
        copy_weights(one, other)


package_model = models.mtan.MTAN(todo, width=1 / 8)
copy_network(model, package_model)
images = torch.rand(1, 3, 45, 70)
with torch.no_grad():
    ours, our_attention = model.eval()(images, return_attention=True)
    theirs, their_attention = package_model.eval()(images, return_attention=True)

same_predictions = [same(ours[task.name], theirs[task.name]) for task in todo]
pairs = [(levels[name].mask, their_attention[task][name].mask)
         for task, levels in our_attention.items() for name in levels]  # fmt: skip
print("predictions equal:", all(same_predictions))
print("masks equal:", sum(same(*pair) for pair in pairs), "of", len(pairs))

# %% [markdown]
# ### Test 3: gradients reach every mask, and only the right ones
#
# The masks have no targets of their own. They learn from the task's loss alone, through the product
# $a \odot p$.
#
# **Predict.** We send back the loss of **depth** only. Which of these get a gradient: depth's masks,
# segmentation's masks, the shared encoder, the transforms $f$?

# %%
def gradients(part):
    """How many of the part's convolutions got a gradient that is not zero, and how many it has."""
    layers = [layer for layer in part.modules() if isinstance(layer, nn.Conv2d)]
    reached = [layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0 for layer in layers]
    return f"{sum(map(bool, reached))} of {len(layers)} convolutions"


model.train().zero_grad()
model(torch.rand(2, 3, 45, 70))["depth"].square().mean().backward()
print("depth's attention:       ", gradients(model.attention["depth"]))
print("segmentation's attention:", gradients(model.attention["segmentation"]))
print("shared encoder:          ", gradients(model.encoder))
print("shared transforms f:     ", gradients(model.transforms))

# %% [markdown]
# Every one of depth's twenty convolutions is reached, from encoder level 1 on, and none of segmentation's.
# The encoder and $f$ are reached because they are shared. This is the division of labour: **the shared
# network learns a pool of features for all tasks, each task's masks learn what to take from it.**

# %% [markdown]
# ### Test 4: a mask of ones
#
# **Predict.** If every mask is 1, what is the attended feature? Which network of chapter 03 is then left?
#
# To force a mask we do not change the network. We use a **forward hook**: a function that torch calls after a
# module's forward, with (module, inputs, output). What it returns replaces the output. Registering it gives a
# **handle**, whose `remove()` takes the hook away again. On a small layer:

# %%
layer = nn.ReLU()
handle = layer.register_forward_hook(lambda module, inputs, output: output + 10)
print("with the hook:", layer(torch.tensor([-1.0, 2.0])))
handle.remove()
print("without:      ", layer(torch.tensor([-1.0, 2.0])))

# %% [markdown]
# {{exercise 04.hold_masks}}
#
# The function gets several `AttentionModule`s and a number. From then on each of these modules gives an
# `Attention` whose mask is that number everywhere, and whose attended feature is what follows from it, by
# $a \odot p$. The function returns the list of handles, one per module. The weights stay as they are.
#
# <details><summary>Stuck?</summary>
#
# The hook's `output` is the `Attention` that the module has already computed, attended feature included. A
# named tuple cannot be changed; `output._replace(mask=...)` gives a new one in which some fields are
# exchanged.
#
# </details>


# %%
def hold_masks(modules, value):
    ### BEGIN SOLUTION
    def replace(module, inputs, seen):
        return seen._replace(mask=torch.full_like(seen.mask, value), attended=value * seen.shared)

    return [module.register_forward_hook(replace) for module in modules]
    ### END SOLUTION


# %%
hold_masks = check("04.hold_masks", hold_masks)

# %% [markdown]
# Now all twenty masks at 1, against the Split network with the same weights.

# %%
def attention_modules(network):
    """All modules of all tasks."""
    return [module for task in network.attention.values() for module in [*task.encoder, *task.decoder]]


handles = hold_masks(attention_modules(model), 1.0)
split = models.segnet.SegNet(todo, width=1 / 8).eval()
shared_part = {name: value for name, value in model.state_dict().items()
               if name.startswith(("encoder", "decoder", "heads"))}  # fmt: skip
print("weights:", split.load_state_dict(shared_part))
with torch.no_grad():
    opened, seen = model.eval()(images, return_attention=True)
    from_split = split(images)
equal = [same(level.attended, level.shared) for levels in seen.values() for level in levels.values()]
print("attended = p at", sum(equal), "of", len(equal), "modules")
print("same predictions as Split:", all(same(opened[name], from_split[name]) for name in opened))
for handle in handles:
    handle.remove()

# %% [markdown]
# With all masks at 1, MTAN **is** the Split network: same weights, same predictions. So MTAN can represent
# everything that Split can, and the masks are what it adds. That it will also *learn* something better does
# not follow from this.

# %% [markdown]
# ### Test 5: the order of tasks
#
# No task is special. We build the network with the tasks in reverse order and give it the same weights.

# %%
reversed_model = MTAN(todo[::-1], width=1 / 8)
copy_network(model, reversed_model)
with torch.no_grad():
    forwards, backwards = model.eval()(images), reversed_model.eval()(images)
print("order of the outputs:", list(forwards), list(backwards))
print("same predictions:", all(same(forwards[name], backwards[name]) for name in forwards))

# %% [markdown]
# ### Test 6: what sharing f does to its batch normalisation
#
# A batch normalisation keeps **running statistics** for evaluation: after each pass in training mode,
# $r \leftarrow 0.9\, r + 0.1\, m$, where $m$ is the mean of the batch (for the variance alike). $f$ runs
# once per task and step. So it normalises each task by that task's own batch in training, but by **one
# mixture of all tasks** in evaluation.
#
# **Predict.** After 3 training passes with 2 tasks: how many batches has the encoder's batch normalisation
# counted? A task's own, in $g$? The one in $f$?

# %%
torch.manual_seed(0)
model = MTAN(todo, width=1 / 8)
normalisation = model.transforms.encoder[2][1]  # of the f behind encoder level 3
batch_means = []
hook = normalisation.register_forward_pre_hook(
    lambda layer, inputs: batch_means.append(inputs[0].detach().mean(dim=(0, 2, 3)))
)
with torch.no_grad():
    for _ in range(3):
        model.train()(torch.rand(4, 3, 32, 64))
hook.remove()

of_encoder, of_depths_g = (layers(part, nn.BatchNorm2d)[0] for part in (model.encoder, model.attention["depth"]))
print("shared encoder:", int(of_encoder.num_batches_tracked), "batches")
print("depth's own g: ", int(of_depths_g.num_batches_tracked), "batches")
print("shared f:      ", int(normalisation.num_batches_tracked), "batches = tasks x steps:", K * 3)

# %% [markdown]
# We recorded the six batch means: segmentation, depth, segmentation, depth, ... From them the running mean
# can be rebuilt by hand, and compared with what each task really needs.

# %%
running = torch.zeros_like(batch_means[0])
for mean in batch_means:
    running = 0.9 * running + 0.1 * mean
print("running mean rebuilt by hand:", torch.allclose(running, normalisation.running_mean, atol=1e-6))

of_segmentation, of_depth = torch.stack(batch_means[0::2]).mean(0), torch.stack(batch_means[1::2]).mean(0)
print("channel  segmentation   depth")
for channel in range(3):
    print(f"{channel:7d}  {of_segmentation[channel]:12.3f}  {of_depth[channel]:6.3f}")
print(f"weight of the task that runs last, of each step: {0.1 / (0.1 + 0.9 * 0.1):.3f}")

# %% [markdown]
# The two tasks have different means, and the running mean mixes them, with a little more weight on the task
# that runs last: its batch mean enters with 0.1, and shrinks the one before it to 0.9 · 0.1. In evaluation
# mode neither task is normalised by its own statistics. That is the published network, and the course keeps
# it, so that its numbers can be compared. Two things follow. An untrained or briefly trained MTAN can
# behave differently in training and evaluation mode. And the order of the tasks, which changes no
# prediction for given weights (test 5), does change the running statistics of $f$ in training, slightly.
#
# **To think through (10 minutes).** Give each task its own batch normalisation in $f$ and keep the
# convolution shared. How many parameters does that add for two tasks at full width?
#
# <details><summary>One answer</summary>
#
# A second normalisation per level, with a scale and a shift for each channel:
# $2 \cdot (128 + 256 + 512 + 512 + 512)$ in the encoder and $2 \cdot (64 + 64 + 128 + 256 + 512)$ in the
# decoder, 3,840 + 2,048 = 5,888 parameters. Cheap; but then it is no longer the published network.
#
# </details>

# %% [markdown]
# ## 7. The residual mask of the first version
#
# The first arXiv version of the paper multiplied by $a + 1$:
#
# $$\hat a_i^{(j)} = \left( a_i^{(j)} + 1 \right) \odot p^{(j)} ,$$
#
# a **residual** mask. Its reason: many multiplications in a row by numbers below 1 make signal and gradient
# vanish. The CVPR version and the authors' code have no +1. There a mask of **0** left the feature as it
# is, here a mask of **1** does.
#
# **Predict.** A signal passes ten gates in a row, all at 0.5. What is left of it? With gates of 1.5?

# %%
for name, factor in {"mask a": 0.5, "mask a + 1": 1.5}.items():
    print(f"{name:10s}: ten factors of {factor} make {factor**10:.4f}")

# %% [markdown]
# A thousandth, or nearly sixty times: a plain chain of ten gates has a scale problem either way.
#
# But is MTAN such a chain? Look at equation 1 again. Each level multiplies its **own, fresh** $p^{(j)}$,
# which comes from the shared network, not from the level before. And what passes from level to level goes
# through the batch normalisation of $f$, which divides any common factor out again.
#
# **Predict.** How does the ratio of sizes $\|\hat a\| / \|p\|$ run over the ten levels: does it fall? And
# now the gradient of the loss, on its way back from the head through ten levels of masks. Of which variant
# does a larger share arrive at encoder level 1: `"plain"` ($a$), `"residual"` ($a + 1$), or `"equal"` (the
# two shares differ by less than a factor of 2)?

# %%
def fresh(residual_mask=False):
    torch.manual_seed(0)
    return MTAN(todo, width=1 / 8, residual_mask=residual_mask)


def through_the_levels(network):
    """At each level: the ratio ||attended|| / ||p||, and the size of the loss's gradient at the mask."""
    predictions, attention = network(torch.rand(4, 3, 64, 128), return_attention=True)
    levels = attention["segmentation"]
    masks = [level.mask for level in levels.values()]
    loss = predictions["segmentation"].square().mean()
    sizes = [gradient.norm().item() for gradient in torch.autograd.grad(loss, masks)]
    ratios = [(level.attended.norm() / level.shared.norm()).item() for level in levels.values()]
    return list(levels), ratios, sizes


# %%
### BEGIN SOLUTION
guess = "plain"
### END SOLUTION
names, ratios, sizes = through_the_levels(fresh())
_, residual_ratios, residual_sizes = through_the_levels(fresh(residual_mask=True))
advantage = (sizes[0] / sizes[-1]) / (residual_sizes[0] / residual_sizes[-1])
larger = "equal" if 0.5 < advantage < 2 else "plain" if advantage > 1 else "residual"
compare("04.residual_gradient", guess, larger)

# %%
figure, (left_axis, right_axis) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
blue, vermilion = plots.OKABE_ITO["blue"], plots.OKABE_ITO["vermilion"]
for axis, plain, residual in [(left_axis, ratios, residual_ratios), (right_axis, sizes, residual_sizes)]:
    axis.plot(names, plain, "o-", color=blue, label="a ⊙ p (CVPR)")
    axis.plot(names, residual, "s--", color=vermilion, label="(a + 1) ⊙ p (arXiv v1)")
    axis.tick_params(axis="x", rotation=60)
    axis.grid(True, color="0.9")
    axis.set_xlabel("level, in the order of the computation")
left_axis.set(ylabel="‖attended‖ / ‖p‖", ylim=(0, 1.8), title="size of the signal")
right_axis.set(ylabel="‖gradient of the loss at the mask‖", yscale="log", title="size of the gradient")
right_axis.legend(frameon=False)
plots.show(
    figure,
    "Two line plots over the ten levels. Left: the ratio of attended to shared feature is constant, about "
    "0.5 with the plain mask, 1.5 with the residual one. Right, logarithmic: the gradient at the mask "
    "grows from encoder1 to decoder1, by two powers of ten with the plain mask, by nearly six with the "
    "residual one.",
)
for name in ("encoder1", "encoder5", "decoder1"):
    k = names.index(name)
    print(f"{name}: size ratio {ratios[k]:.2f} and {residual_ratios[k]:.2f}, "
          f"gradient at the mask {sizes[k]:.0e} and {residual_sizes[k]:.0e}")  # fmt: skip
print(f"gradient at encoder1 over gradient at decoder1: plain {sizes[0] / sizes[-1]:.0e}, "
      f"residual {residual_sizes[0] / residual_sizes[-1]:.0e}")  # fmt: skip

# %% [markdown]
# The signal does not shrink: the ratio is flat, near 0.5 and near 1.5, at all ten levels. The ten gates do
# not multiply.
#
# The gradient shrinks in both variants on its way back to encoder level 1, and with the residual mask **far
# more**. This is the opposite of the reason given for the +1.
#
# Our explanation: a mask tells the next level something only by its **contrast**, its spread relative to
# its mean, because $f$'s batch normalisation removes the mean factor. A plain mask has $0.2 / 0.5 = 0.4$, a
# residual one $0.2 / 1.5 = 0.13$, a third of it, at each of nine passages from one mask to the next.
#
# An explanation can be tested. Let the attended feature be $(a + c) \odot p$ with any $c$. The contrast is
# $0.2 / (0.5 + c)$.
#
# **Predict.** If the explanation holds, how does the share of the gradient that one passage keeps depend on
# $c$?

# %%
print("   c  contrast  kept per passage  kept / contrast")
for c in (0.0, 0.5, 1.0, 3.0):
    network = fresh()
    for module in attention_modules(network):
        module.register_forward_hook(
            lambda layer, inputs, seen, c=c: seen._replace(attended=(seen.mask + c) * seen.shared)
        )
    _, _, gradient = through_the_levels(network)
    kept = (gradient[0] / gradient[-2]) ** (1 / 8)  # eight passages, from decoder2 back to encoder1
    contrast = 0.2 / (0.5 + c)
    print(f"{c:4.1f}  {contrast:8.2f}  {kept:16.2f}  {kept / contrast:15.1f}")

# %% [markdown]
# The share kept is nearly proportional to the contrast: the last column hardly changes. The explanation
# holds.
#
# What the +1 does in any case: it takes away the right to shut a feature off. The strongest and the weakest
# gate differ by a factor of 2 at most, where a plain mask can go from 0 to 1.
#
# What we have **not** shown: this is a fresh network, on random images, of the CVPR wiring. The first
# version had another mask path (3×3, with stride) and was trained with SGD. Which variant trains to a
# better result, we did not measure.

# %% [markdown]
# ## 8. What does it cost?
#
# ### Parameters, by formula
#
# A convolution of kernel size $k$ with bias has
# $k^2 \cdot \text{inputs} \cdot \text{outputs} + \text{outputs}$ parameters, a batch normalisation
# $2 \cdot \text{outputs}$.

# %% [markdown]
# {{exercise 04.attention_parameters}}
#
# Count the trainable parameters of **one** task's ten modules. The function gets the table of channels,
# level → (u, v, p), and the kernel size of both convolutions. The kernel is 1 in MTAN; with another number
# you can see what it would cost. Both convolutions have a bias.


# %%
def attention_parameters(table, kernel=1):
    ### BEGIN SOLUTION
    def layer(inputs, outputs):
        return kernel**2 * inputs * outputs + outputs + 2 * outputs  # weights, bias, batch normalisation

    return sum(layer(u + v, p) + layer(p, p) for u, v, p in table.values())
    ### END SOLUTION


# %%
attention_parameters = check("04.attention_parameters", attention_parameters)

# %% [markdown]
# **Predict.** Which is larger: all transforms $f$ together, or the masks of one task?

# %%
def conv_parameters(inputs, outputs, kernel=3, normalised=True):
    return kernel**2 * inputs * outputs + outputs + 2 * outputs * normalised


def block_parameters(inputs, outputs, count):
    return conv_parameters(inputs, outputs) + (count - 1) * conv_parameters(outputs, outputs)


first_inputs = [3, *FILTERS[:-1]]
deeper = [*FILTERS[1:], FILTERS[-1]]  # channels one level further down
shallower = [FILTERS[0], *FILTERS[:-1]]  # one level further up
encoder = sum(block_parameters(first_inputs[j], FILTERS[j], CONVOLUTIONS[j]) for j in LEVELS)
decoder = sum(block_parameters(FILTERS[j], shallower[j], CONVOLUTIONS[j]) for j in LEVELS)
f = sum(conv_parameters(FILTERS[j], deeper[j]) + conv_parameters(FILTERS[j], shallower[j]) for j in LEVELS)
attention_of_a_task = attention_parameters(table)
counted = {"shared SegNet": encoder + decoder, "transforms f": f, "a task's masks": attention_of_a_task}
for name, count in counted.items():
    print(f"{name:15s} {count:12,d}")

# %% [markdown]
# The shared $f$ is three times as large as one task's masks, because it is 3×3 and they are 1×1. Sharing it
# is what keeps a further task cheap. Now the whole networks, by formula and as built by the package, for
# the paper's two data sets.

# %%
def head_parameters(outputs):
    return conv_parameters(64, 64, 3, normalised=False) + conv_parameters(64, outputs, 1, normalised=False)


def mtan_parameters(channels):
    return encoder + decoder + f + sum(attention_of_a_task + head_parameters(count) for count in channels)


single = encoder + decoder + head_parameters(7)
paper = {"Cityscapes": todo, "NYUv2": [tasks.segmentation(13), tasks.depth(inverse=False), tasks.normals()]}
for name, of_paper in paper.items():
    counted = mtan_parameters([task.channels for task in of_paper])
    with torch.device("meta"):
        built = models.count_parameters(models.build("mtan", of_paper))
    print(f"{name:10s} {counted:,d}, as built {built:,d}; {counted / single:.2f} x one single-task network")
further = attention_of_a_task + head_parameters(1)
print(f"a further task with one output: {further:,d}, {further / single:.0%} of a single-task network")

# %% [markdown]
# 1.65 and 1.77 are the numbers in the column #P of the paper's tables 2 and 3. The paper speaks of 10 % for
# each further task (related work); on SegNet it is the share printed above.
#
# **Predict.** Draw three curves on paper: parameters of $K$ single-task networks, of Split, of MTAN, for
# $K$ from 1 to 6. Where do the first and the last cross?

# %%
counts = range(1, 7)
one_output = encoder + decoder + head_parameters(1)
curves = {
    "K single-task networks": [count * one_output / 1e6 for count in counts],
    "MTAN": [mtan_parameters([1] * count) / 1e6 for count in counts],
    "Split": [(encoder + decoder + count * head_parameters(1)) / 1e6 for count in counts],
}
figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
looks = [("s--", "black"), ("o-", plots.OKABE_ITO["blue"]), ("^:", plots.OKABE_ITO["vermilion"])]
for (name, millions), (style, colour) in zip(curves.items(), looks, strict=True):
    axis.plot(counts, millions, style, color=colour, label=name)
    axis.text(6.1, millions[-1], name, color=colour, va="center")
axis.set(xlabel="number of tasks K", ylabel="parameters (millions)", xlim=(0.8, 8.3), ylim=(0, 160))
axis.set_xticks(counts)
axis.spines[["top", "right"]].set_visible(False)
axis.grid(True, color="0.9")
plots.show(
    figure,
    "Parameters in millions against the number of tasks, 1 to 6. K single-task networks rise steeply from 25 "
    "to 150. MTAN begins higher, at 38, and rises slowly to 53. Split stays at 25.",
)
for name, millions in curves.items():
    print(f"{name:23s}", " ".join(f"{value:6.1f}" for value in millions))

# %% [markdown]
# For one task MTAN is the larger network. (The paper calls it STAN then, single-task attention network.)
# From two tasks on it is the smaller one, and each further task costs little. Split is the smallest: its
# tasks share everything.
#
# ### Work is another matter
#
# Parameters are memory. **Work** is the number of multiplications for one image. The shared $f$ exists
# once, but it **runs** once per task, some of it on full-size images.
#
# **Predict.** The work of one single-task network is 1. What is the work of MTAN with two tasks?

# %%
### BEGIN SOLUTION
guess = 2.7
### END SOLUTION


def work(name, chosen):
    """Multiply-adds of one pass on one image. Width 1/8; the ratios hardly depend on the width."""
    network = models.build(name, chosen, width=1 / 8).eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.rand(1, 3, 64, 128))
    return counter.get_total_flops() / 2  # it counts a multiply-add as two


one = work("single", [tasks.depth()])
compare("04.work", guess, work("mtan", todo) / one)

# %%
print("K  singles  Split   MTAN   (one single-task network = 1)")
for count in (1, 2, 3):
    chosen = [tasks.depth(name=f"depth{number}") for number in range(count)]
    print(f"{count}  {count:7.2f}  {work('split', chosen) / one:5.2f}  {work('mtan', chosen) / one:5.2f}")

# %% [markdown]
# It is **more** work than two single-task networks. Split shares its work as it shares its parameters. MTAN
# saves parameters but no multiplications: on this network a further task costs nearly as much work as a
# further network. "Parameter efficient", as the paper says, is right, "fast" would not be.
#
# **To think through (5 minutes).** How many parameters would a task's masks have with 3×3 kernels in $g$ and
# $h$? What does the answer say about the word "cheap"?
#
# <details><summary>One answer</summary>
#
# `attention_parameters(table, kernel=3)` gives 26,741,376: nine times the weights, and more than a whole
# single-task network for each task. The 1×1 kernel is what makes a further task cheap.
#
# </details>

# %% [markdown]
# ## 9. A first training
#
# Forty steps on the street scenes of chapter 01, equal weights, as in chapter 03. The point is to see that
# it learns, and what happens to the masks. On a GPU with real Cityscapes the same cells take the paper's
# network, frame size and learning rate, for one epoch. The full recipe of 200 epochs is chapter 06's.

# %%
settings = {
    "quick": {"name": "synthcity", "size": (64, 128), "length": 320, "width": 1 / 8, "learning_rate": 1e-3},
    "paper": {"name": "cityscapes", "size": (128, 256), "length": None, "width": 1, "learning_rate": 1e-4},
}[platforms.run_size()]
root = platforms.find_data("cityscapes") if settings["name"] == "cityscapes" else None
common = {"size": settings["size"], "classes": 7, "root": root}
train = data.load(settings["name"], "train", length=settings["length"], **common)
val = data.load(settings["name"], "val", length=8, **common)
print(train.source, "|", len(train), "frames for training,", len(val), "to look at")

# %% [markdown]
# We look at the masks with **batch statistics** (training mode), before and after. In evaluation mode the
# fresh network would use running statistics that have seen nothing yet, and we would compare two different
# things. A copy of the network does the looking, so that its own running statistics stay untouched.

# %%
val_batch = next(iter(DataLoader(val, batch_size=8)))


def look(network):
    """Predictions and attention on the validation batch, with batch statistics."""
    observer = copy.deepcopy(network).train()
    with torch.no_grad():
        return observer(val_batch["image"].to(platform.device), return_attention=True)


torch.manual_seed(0)
model = models.build("mtan", todo, width=settings["width"]).to(platform.device)
_, before = look(model)
for name, levels in before.items():
    mask = levels["encoder1"].mask
    print(f"{name}: mask at encoder1 mean {mask.mean():.2f}, spread {mask.std():.2f}")

# %% [markdown]
# As computed in section 3: half open, spread about 0.2. (The 0.21 there was for bell-shaped values.
# Features of an image are not bell-shaped, so the spread is a little lower.) Now the training loop of
# chapter 03.

# %% tags=["reached"]
optimizer = torch.optim.Adam(model.parameters(), lr=settings["learning_rate"])
shuffle = torch.Generator().manual_seed(0)
history = []
model.train()
for batch in DataLoader(train, batch_size=8, shuffle=True, drop_last=True, generator=shuffle):
    batch = {key: value.to(platform.device) for key, value in batch.items()}
    predictions = model(batch["image"])
    losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
    total = losses.sum()
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    history.append(losses.detach().cpu())

first, last = history[0], torch.stack(history[-5:]).mean(0)
print("loss of the first step, and mean of the last five:")
print(", ".join(f"{task.name} {first[i]:.1f} to {last[i]:.1f}" for i, task in enumerate(todo)))
fell = int((last < 0.75 * first).sum())
print(f"MTAN, {len(history)} steps: {fell} of {K} losses fell by over a quarter")

# %% [markdown]
# Both losses fall. (This chapter prints few digits after a training. Rounding differs a little from one kind
# of processor to the next, and every step of Adam makes the difference larger.) Now the masks. The figure
# shows the first frame: the masks of channels 0 and 1 at encoder level 1, for both tasks, before and after.
#
# **Predict.** Will the masks look different after the training? Remember how far one weight can move in 40
# steps of Adam with learning rate 0.001: at most about 0.04.

# %%
_, after = look(model)
maps = {}
for moment, seen in {"before": before, "after": after}.items():
    for task in todo:
        for channel in (0, 1):
            maps[f"{task.name} {channel}, {moment}"] = seen[task.name]["encoder1"].mask[0, channel].cpu()
figure = plots.pictures(maps, columns=4, scale=(0, 1), unit="mask a", source=val.source)
plots.show(
    figure,
    "Eight mask pictures at encoder1 on one street frame: channels 0 and 1 of segmentation and of depth, "
    "above before training, below after. Each mask shows outlines of the scene. The four differ from one "
    "another; before and after look alike.",
)
for task in todo:
    old, new = before[task.name]["encoder1"].mask, after[task.name]["encoder1"].mask
    means, spreads = f"{old.mean():.1f} to {new.mean():.1f}", f"{old.std():.1f} to {new.std():.1f}"
    print(f"{task.name}: mean {means}, spread {spreads}")
for moment, seen in {"before": before, "after": after}.items():
    gap = (seen["segmentation"]["encoder1"].mask - seen["depth"]["encoder1"].mask).abs().mean()
    print(f"mean difference of the two tasks' masks, {moment}: {gap:.1f}")

# %% [markdown]
# The masks show the scene, and the two tasks' masks differ clearly. It is tempting to write: "MTAN has
# learned what each task needs." But the upper row shows the same, **before any training**. The difference
# between the tasks is nearly the same before and after. It comes from random weights. Mean and spread have
# hardly moved either.
#
# So has training changed no mask at all? We compare each level's masks before and after by their
# **correlation**: 1 means the same picture, 0 means nothing in common.

# %%
def correlation(first, second):
    return torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].item()


alike = {
    name: {level: correlation(old.mask, after[name][level].mask) for level, old in levels.items()}
    for name, levels in before.items()
}
figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
for task, style in zip(todo, ("o-", "s--"), strict=True):
    values = alike[task.name]
    axis.plot(list(values), list(values.values()), style, color=plots.task_colour(task), label=task.name)
axis.set(ylabel="correlation, before and after", ylim=(-0.1, 1.05), xlabel=f"level; {val.source}")
axis.tick_params(axis="x", rotation=60)
axis.grid(True, color="0.9")
axis.legend(frameon=False)
plots.show(
    figure,
    "Correlation of the masks before and after training, over the ten levels, for both tasks. It falls from "
    "nearly 1 at encoder1 to about 0.2 at encoder5, and is near 0 at all levels of the decoder.",
)
deepest = max(value for values in alike.values() for level, value in values.items() if "decoder" in level)
print("over 0.8 at encoder1, for both tasks:", all(values["encoder1"] > 0.8 for values in alike.values()))
print("under 0.2 at every level of the decoder:", deepest < 0.2)

# %% [markdown]
# At encoder level 1 the masks are nearly what they were. The deeper the level, the lower the correlation, and
# in the decoder the old masks are gone. Two causes act together: the masks' own weights move, and the
# features that they read move more the more layers lie before them. The first level reads $u$ of a single
# convolution, which hardly changes.
#
# ### Are the masks used?
#
# That masks differ proves nothing, as we saw. A fair test is an **intervention**: give segmentation the
# masks of depth and depth those of segmentation, and measure the losses. If the masks serve their tasks,
# this must do harm. If they are any masks, it must not.
#
# **Predict.** What does the exchange do to the losses of the untrained network? Of the trained one? And if
# only one level is exchanged, which level matters most?

# %%
def exchanged(network, levels):
    """A copy in which the two tasks' attention modules have changed places at these levels."""
    copied = copy.deepcopy(network)
    of_segmentation, of_depth = copied.attention["segmentation"], copied.attention["depth"]
    for level in levels:
        form, j = level[:-1], int(level[-1]) - 1
        one, other = getattr(of_segmentation, form), getattr(of_depth, form)
        one[j], other[j] = other[j], one[j]
    return copied


def losses_of(network):
    predictions, _ = look(network)
    targets = {key: value.to(platform.device) for key, value in val_batch.items()}
    return [task.loss(predictions[task.name], targets[task.target]).item() for task in todo]


def harm(network, levels):
    """By how much each loss grows when the masks are exchanged, in words."""
    grown = [new / old - 1 for new, old in zip(losses_of(exchanged(network, levels)), losses_of(network), strict=True)]
    words = ["over 40 %" if growth > 0.4 else "over 4 %" if growth > 0.04 else "under 4 %" for growth in grown]
    return ", ".join(f"{task.name} {word}" for task, word in zip(todo, words, strict=True))

# %%
torch.manual_seed(0)
untrained = models.build("mtan", todo, width=settings["width"]).to(platform.device)
all_levels = list(before["depth"])
print("How much the losses grow by the exchange:")
print("untrained, all levels:   ", harm(untrained, all_levels))
print("trained, all levels:     ", harm(model, all_levels))
for level in ("encoder1", "encoder5", "decoder4", "decoder1"):
    print(f"trained, only {level}:  ", harm(model, [level]))

# %% [markdown]
# In the untrained network the exchange makes no real difference. In the trained one it does harm to both
# tasks, and in proportion to depth most. So the masks have become their tasks' own, but only at the **last**
# level: nearly all of the harm comes from decoder level 1, whose attended feature the head reads. At the
# other levels the exchange is hardly felt. This fits section 7: the gradient at the first levels is a
# hundred times smaller, and what a mask does there reaches the loss only through the masks behind it.
#
# **What this small run does not show.**
#
# * Not that attention helps. For that, MTAN and Split must be trained to the end and compared, with the
#   same number of steps and several seeds. The paper does it for 200 epochs, and its tables 2 and 3 give
#   the answer for its data.
# * Not what the paper says of its figure 5: that depth's masks have more contrast than segmentation's. Our
#   spreads after 40 steps are those of the initialisation.
# * Not that the masks of the first levels stay useless. Forty steps are a beginning.
# * Not that a mask picture at encoder level 1 has a meaning. Chapter 07 looks at a network that was trained
#   longer.
#
# ### Nine levels without masks
#
# A last intervention, with your hook: in the trained network we hold **all** masks but those of decoder level
# 1 at the value 1. Nine of ten levels then pass everything on.
#
# **Predict.** What happens to the sum of the two losses? Choose `"same"` (it changes by less than 5 %),
# `"worse"` (it grows, to at most twice as much) or `"much worse"` (it more than doubles).

# %%
### BEGIN SOLUTION
guess = "same"
### END SOLUTION
held = copy.deepcopy(model)
hold_masks([module for task in held.attention.values() for module in [*task.encoder, *task.decoder[1:]]], 1.0)
growth = sum(losses_of(held)) / sum(losses_of(model))
compare("04.nine_levels", guess, "same" if growth < 1.05 else "worse" if growth < 2 else "much worse")

# %% [markdown]
# After forty steps nine of the ten levels of masks could be left out. The network has begun to use attention
# from the head backwards. With more training this may change, and whether it does must be measured. Chapter
# 07 does that with a network that was trained longer, and holds each mask at its own mean, which is fairer
# than 1.

# %% [markdown]
# ## Summary
#
# MTAN lets each task choose from one shared network: at each of ten levels a mask in 0..1, one value per
# pixel, channel and task, multiplies the shared feature. The mask comes from the shared feature $u$ and
# from what the task saw a level before, through two 1×1 convolutions and a sigmoid; the transforms $f$
# between the levels are shared by all tasks. With masks of one it is the Split network, it has 1.65 times
# the parameters of one single-task network for two tasks, and it saves parameters, not work.
#
# ## Quiz
#
# **1.** Why can a mask with one value per pixel not prefer one feature to another?
#
# * a) A sigmoid cannot become large enough.
# * b) It multiplies all channels of the pixel by the same factor.
# * c) Batch normalisation gives all channels the same mean.
# * d) It has fewer parameters.
#
# <details><summary>Answer</summary>
#
# **b.** The ratio of any two features of the pixel stays as it was.
#
# a: the same holds for any factor, small or large. c: the normalisation shapes the logits of the mask, not
# the product. d: true, but a mask of one channel with a million parameters could not do it either.
#
# </details>
#
# **2.** In the encoder, which tensor does the mask multiply?
#
# * a) the block's input
# * b) $u$, from which it was computed
# * c) the pooled $p$, which goes on to the next block
# * d) $p$, the output of the block's last convolution
#
# <details><summary>Answer</summary>
#
# **d.**
#
# a: nobody uses the block's input again. b: from $u$ the mask is only *computed*. c: the pooled $p$ goes on
# in the shared network, which no mask ever touches; the attended feature is pooled for itself, after $f$.
#
# </details>
#
# **3.** Which parts does a further task add?
#
# * a) $g$ and $h$ at ten levels, and a head
# * b) $f$, $g$ and $h$ at ten levels, and a head
# * c) an encoder, and a head
# * d) a head
#
# <details><summary>Answer</summary>
#
# **a.**
#
# b: $f$ is shared; it only *runs* once more. c: that would be nearly a network of its own. d: that is the
# Split network, whose tasks share everything else.
#
# </details>
#
# **4.** After 100 training steps with three tasks, how many batches has the batch normalisation of an $f$
# counted?
#
# * a) 100
# * b) 33 or 34
# * c) 300
# * d) 1000
#
# <details><summary>Answer</summary>
#
# **c.** Once per task and step.
#
# a: that is the count of the shared encoder, which runs once per step, and of each task's own $g$ and $h$.
# b: the tasks do not take turns; all three run in every step. d: there are ten $f$, and each one counts for
# itself.
#
# </details>
#
# **5.** Two tasks' masks at encoder level 1 look different. What does that prove?
#
# * a) The network has learned what each task needs.
# * b) Alone, nothing.
# * c) The tasks need different features.
# * d) One of the two masks is not trained yet.
#
# <details><summary>Answer</summary>
#
# **b.** They differ before training too. One has to compare with the untrained network, or test whether an
# exchange of the masks does harm.
#
# a: the same pictures were there before the first step. c: they may well, but random weights also give
# different masks to two tasks with the same need. d: neither a difference nor a likeness shows how far a
# training has come.
#
# </details>

# %% [markdown]
# What you have done so far, over all chapters: one sign per exercise and per guess.

# %% tags=["nbval-ignore-output", "why:shows-progress"]
progress()

# %% [markdown]
# ## What comes next
#
# We summed the two losses with equal weights. Cross-entropy and an L1 loss on inverse depth have different
# sizes and fall at different speeds. Chapter 05 builds **dynamic weight averaging**, which sets the weights
# from the speed of each loss.
#
# ## Sources
#
# * S. Liu, E. Johns, A. J. Davison: End-to-End Multi-Task Learning with Attention, CVPR 2019, section 3
#   (architecture), equations 1 and 2, figure 2 (the module), figure 5 (masks), tables 2 and 3.
#   <https://arxiv.org/abs/1803.10704>; the residual mask stands in its version 1, equation 1.
# * The authors' code: <https://github.com/lorenmt/mtan>
# * V. Badrinarayanan, A. Kendall, R. Cipolla: SegNet, TPAMI 2017. <https://arxiv.org/abs/1511.00561>
