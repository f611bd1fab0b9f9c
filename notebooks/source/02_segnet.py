# %% [markdown]
# # 02 · SegNet
#
# {{chapter_badges}}
#
# In this chapter you build **SegNet**: an encoder that makes a picture small to understand it, a decoder that
# makes it large again to answer for every pixel, and the indices that the one hands to the other.
#
# **After this chapter you can**
#
# * explain why a network that labels every pixel needs an encoder and a decoder, and compute its receptive
#   field;
# * compute a convolution, a max-pool with indices and an unpool by hand;
# * predict the shape of every tensor and the number of parameters of every layer;
# * build the blocks and the decoder of SegNet yourself, and the formula that counts what they learn;
# * train one task with a loop of eight lines and say honestly how good the result is.
#
# **Time:** about 40 minutes of reading, {{exercise_minutes}} minutes of exercises, one minute of computing
# on a laptop, about 20 minutes on a T4 with real Cityscapes.
#
# **You need from before:** samples and classes (chapter 01). You should have seen `nn.Module` and a
# convolution.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("SegNet", minutes_cpu=1, minutes_gpu=20)

# %%
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.patches import Rectangle
from torch import nn
from torch.utils.data import DataLoader

from course_utils import data, losses, metrics, models, plots, tasks
from course_utils.exercises import check, compare, progress
from course_utils.labels import label_set
from course_utils.models import segnet
from course_utils.sliders import sliders

plt.rcParams.update(plots.STYLE)

torch.manual_seed(0)
labels = label_set(7)
print(len(labels.names), "classes:", ", ".join(labels.names))

# %% [markdown]
# ## 1. Far sight and fine detail
#
# Segmentation is a **dense prediction**: the network gives an answer for every pixel. Two wishes pull
# against each other.
#
# * **Far sight.** A grey pixel may be road, wall or car. Only the surroundings tell. The part of the image
#   on which one output value depends is its **receptive field**. It has to be large.
# * **Fine detail.** The answer has to be right to the pixel, so the output has to be as large as the image.
#
# A convolution of 3×3 pixels sees one pixel more on each side. Let $r$ be the width of the receptive field
# and $s$ the **stride**: how many image pixels lie between two neighbours of the present feature map. At the
# image itself $r = s = 1$. A layer with kernel $k$ then gives
#
# $$ r \leftarrow r + (k - 1)\, s $$
#
# and a pool of 2×2 is a layer with $k = 2$ that afterwards doubles the stride, $s \leftarrow 2 s$.
#
# %% [markdown]
# {{exercise 02.receptive_field}}
#
# Write the rule as a function. It gets a list of layers, the one at the image first, such as `["conv",
# "conv", "pool"]`. A `"conv"` is a convolution of 3×3, a `"pool"` a pool of 2×2. It returns the width in
# pixels of what one value sees after the last layer. The list may be empty: then the value is a pixel of the
# image.
#
# <details><summary>Stuck?</summary>
#
# Keep the two numbers $r$ and $s$ while you walk through the list once. First do it on paper for
# `["pool", "conv"]`: at which of the two steps does each number change, and which one changes first?
#
# </details>


# %%
def receptive_field(layers):
    """Width in pixels after `layers`, a list of "conv" (3x3) and "pool" (2x2)."""
    ### BEGIN SOLUTION
    field = stride = 1
    for layer in layers:
        kernel = 3 if layer == "conv" else 2
        field += (kernel - 1) * stride  # with the stride from before this layer
        stride *= 2 if layer == "pool" else 1
    return field
    ### END SOLUTION


# %%
receptive_field = check("02.receptive_field", receptive_field)

# %%
for layers in (["conv"], ["conv", "conv"], ["pool", "conv"]):
    print(f"{receptive_field(layers)} pixels after {' and '.join(layers)}")

# %% [markdown]
# By hand: one convolution sees $1 + 2 = 3$ pixels, a second one $3 + 2 = 5$. A pool sees $1 + 1 = 2$; after
# it the stride is 2, and the convolution adds $2 \cdot 2$, which makes 6.
#
# The encoder of this chapter has 13 convolutions, in five blocks of 2, 2, 3, 3 and 3. It is the one of the
# classification network VGG-16 (Simonyan and Zisserman, ICLR 2015). After each block it pools.
#
# **Predict.** Take the 13 convolutions without a pool, then with the five pools. How many times as far does
# one value see with them? Write the factor into the first line.

# %%
### BEGIN SOLUTION
guess = 8
### END SOLUTION
with_pools = [layer for count in (2, 2, 3, 3, 3) for layer in [*["conv"] * count, "pool"]]
without_pools = ["conv"] * 13
compare("02.field_with_pools", guess, receptive_field(with_pools) / receptive_field(without_pools))

# %% [markdown]
# Do not trust a formula that you can measure. If an output value depends on a pixel, the gradient with
# respect to that pixel is not zero. So we build both chains with one channel and weights of 1, ask for the
# gradient of one output value in the middle, and count the columns that it reaches. (For the measurement we
# pool by the mean. A maximum has the same window, but passes the gradient to one pixel only.)


# %%
def measured_field(layers, side=512):
    """Width of the gradient of one output value with respect to the image, in pixels."""
    parts = {"conv": lambda: nn.Conv2d(1, 1, 3, padding=1, bias=False), "pool": lambda: nn.AvgPool2d(2)}
    chain = nn.Sequential(*(parts[layer]() for layer in layers))
    for weight in chain.parameters():
        nn.init.ones_(weight)
    image = torch.zeros(1, 1, side, side, requires_grad=True)
    output = chain(image)
    middle = output.shape[-1] // 2
    output[0, 0, middle, middle].backward()
    return int((image.grad[0, 0] != 0).any(dim=0).sum())


for name, layers in {"without pools": without_pools, "with pools": with_pools}.items():
    print(f"{name:13} formula {receptive_field(layers):3}, measured {measured_field(layers):3} pixels")

# %% [markdown]
# Formula and measurement agree. The same 13 convolutions see eight times as far, because after each pool one
# step on the feature map is two steps on the image.
#
# Here are both fields on a frame of SynthCity, for the pixel in the middle.

# %%
frames = data.load("synthcity", "val", size=(128, 256), classes=7, length=10)
frame = frames[1]
figure = plots.pictures({"two receptive fields": frame["image"]}, columns=1, source=frames.source)
height, width = frames.size
for layers, colour in ((without_pools, "yellow"), (with_pools, "vermilion")):
    side = receptive_field(layers)
    corner = (width / 2 - side / 2, max(2, height / 2 - side / 2))
    look = {"fill": False, "edgecolor": plots.OKABE_ITO[colour], "linewidth": 2}
    figure.axes[0].add_patch(Rectangle(corner, side, min(side, height - 5), **look))
    share = min(side, width) * min(side, height) / (width * height)
    print(f"{side} x {side} pixels ({colour}) cover {share:.0%} of the image")
plots.show(figure, "A street scene with two frames around its middle: a small yellow one, without pools, and "
           "a vermilion one, with pools, that covers nearly the whole picture.")  # fmt: skip

# %% [markdown]
# Through the small window one sees a piece of road or half a car. Through the large one, one sees a street.
#
# The price: five pools divide height and width by 32. Of 128×256 pixels remain 4×8. That is enough to say
# what is in the picture. It is far too coarse to say which pixel is the pole. So a second half has to bring
# the size back:
#
# $$ \text{image} \rightarrow \text{encoder: small and knowing} \rightarrow \text{decoder: large again}
# \rightarrow \text{a class for every pixel} $$
#
# The **encoder** shrinks, the **decoder** grows. SegNet (Badrinarayanan, Kendall and Cipolla, TPAMI 2017) is
# the encoder-decoder on which the paper of this course builds. We now build it from the smallest part
# upwards.
#
# **To think through (5 minutes).** The decoder has convolutions, too, and it adds to the receptive field. Its
# blocks have 3, 3, 3, 2 and 2 convolutions, at strides 16, 8, 4, 2 and 1; then comes one more 3×3 convolution
# at stride 1. How far does one pixel of SegNet's output see at most?
#
# <details><summary>One answer</summary>
#
# Each convolution adds $2 s$: $212 + 3 \cdot 32 + 3 \cdot 16 + 3 \cdot 8 + 2 \cdot 4 + 2 \cdot 2 + 2 = 394$
# pixels, further than our widest image. (Unpooling adds nothing: a pixel comes from one coarser pixel.)
#
# ```python
# 212 + sum(2 * stride * count for count, stride in [(3, 16), (3, 8), (3, 4), (2, 2), (2, 1), (1, 1)])
# ```
#
# </details>

# %% [markdown]
# ## 2. The smallest part: convolution, normalisation, ReLU
#
# A **convolution** slides a small array of weights, the **kernel**, over the picture. At each place it
# multiplies and adds. With $x$ the input, $w$ the kernel and $b$ the bias,
#
# $$ y_c(i, j) = b_c + \sum_{d} \sum_{m=0}^{2} \sum_{n=0}^{2} w_{c,d}(m, n)\; x_d(i + m - 1,\; j + n - 1) $$
#
# where $d$ runs over the input channels and $c$ over the output channels. At the border, the sum asks for
# pixels outside of the picture. We take them as 0: this is **zero padding**.
#
# Here is a picture of 4×4 pixels, dark on the left and bright on the right, and a kernel that takes the
# right neighbours minus the left ones.

# %%
picture = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
kernel = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])

# %% [markdown]
# {{exercise 02.convolve}}
#
# Write the sum for one channel and without a bias. The function gets a picture of shape [H, W], a square
# kernel of shape [k, k], where k may be any number, and how many zeros lie around the picture on each of its
# four sides. It returns what stands at every place where the kernel fits, as a tensor. Loops are welcome, and
# `F.pad(picture, (left, right, top, bottom))` puts zeros around.
#
# <details><summary>Stuck?</summary>
#
# How many rows does the result have? Think of one column of four pixels and a kernel of three: at which rows
# can its upper end stand? Then write two loops over the places, and in the middle cut the window out of the
# padded picture.
#
# </details>


# %%
def convolve(picture, kernel, padding):
    """The sum above, for one channel and no bias: [H, W] -> [rows, columns], one per place of the kernel."""
    ### BEGIN SOLUTION
    padded = F.pad(picture, (padding,) * 4)
    side = len(kernel)
    rows, columns = (length - side + 1 for length in padded.shape)
    result = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            result[i, j] = (kernel * padded[i : i + side, j : j + side]).sum()
    return result
    ### END SOLUTION


# %%
convolve = check("02.convolve", convolve)

# %% [markdown]
# **Predict.** We convolve the picture with the kernel and a padding of 1. What stands at the right end of the
# second row, where no edge is to be seen in the picture? Write `"negative"`, `"zero"` or `"positive"`, with the
# quotation marks.

# %%
### BEGIN SOLUTION
guess = "negative"
### END SOLUTION
edges = convolve(picture, kernel, padding=1)
sign = int(edges[1, -1].sign())
compare("02.border_column", guess, {-1: "negative", 0: "zero", 1: "positive"}[sign])

# %%
print(edges)
by_torch = F.conv2d(picture[None, None], kernel[None, None], padding=1)[0, 0]
print("the same as torch:", torch.equal(edges, by_torch))

# %% [markdown]
# The second row is 0, 3, 3, −3. The two 3s are the edge. The −3 is a false one: the zeros outside look to
# the network like a dark world behind the border. That is the price of padding. A network can learn to live
# with it, since it sees where the border is.
#
# What would happen without padding?

# %%
print(convolve(picture, kernel, padding=0))
for padding in (0, 1):
    print(f"padding {padding}: 128 pixels after 13 convolutions: {128 - 13 * (2 - 2 * padding)}")

# %% [markdown]
# No false edge, but the result has only 2×2 pixels. A convolution gives $H + 2p - k + 1$ rows of $H$. With
# $k = 3$ and $p = 1$ that is $H$ again: **"same" padding**. It keeps the bookkeeping simple. Only the pools
# change the size, so the decoder knows exactly which size it has to restore. In general $p = (k - 1) / 2$,
# written `kernel // 2` below; for a kernel of 1 it gives 0.
#
# After the convolution comes **batch normalisation** (Ioffe and Szegedy, ICML 2015). Each channel is shifted
# and scaled to mean 0 and variance 1 over all pixels of the batch, then scaled by a learned $\gamma$ and
# shifted by a learned $\beta$, which start as 1 and 0:
#
# $$ \hat{y} = \gamma\, \frac{y - \text{mean}(y)}{\sqrt{\text{var}(y) + \epsilon}} + \beta $$
#
# Last comes the **ReLU**, $\max(0, \hat{y})$. The three belong together in all that follows.

# %%
normalised = (edges - edges.mean()) / (edges.var(correction=0) + 1e-5).sqrt()
print(f"mean {edges.mean():.3f}, variance {edges.var(correction=0):.3f}")
print(normalised.clamp(min=0)[1])
by_torch = nn.ReLU()(nn.BatchNorm2d(1)(edges[None, None]))[0, 0]
print("the same as torch:", torch.allclose(normalised.clamp(min=0), by_torch, atol=1e-6))

# %% [markdown]
# By hand: the sum of the 16 numbers is 10, the sum of their squares 78. So the mean is $10 / 16 = 0.625$,
# the variance $78 / 16 - 0.625^2 = 4.484$, and the 3 becomes $(3 - 0.625) / 2.118 = 1.122$.
#
# In training, mean and variance are those of the batch. The layer also keeps a running average of them and
# uses it after `model.eval()`, so that the prediction for a frame does not depend on the other frames of its
# batch.


# %% [markdown]
# {{exercise 02.convolution}}
#
# Now the part itself. Write a function that makes the three layers and returns them as one module, from
# [B, inputs, H, W] to [B, outputs, H, W]. Height and width stay as they are, for a kernel of 1, 3 or 5. Use
# torch's own layers: `nn.Conv2d` with its bias, `nn.BatchNorm2d` and `nn.ReLU`.


# %%
def convolution(inputs, outputs, kernel=3):
    """Convolution that keeps height and width, batch normalisation, ReLU."""
    ### BEGIN SOLUTION
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),  # it overwrites the normalised values, which nobody needs any more
    )
    ### END SOLUTION


# %%
convolution = check("02.convolution", convolution)

# %%
part = convolution(1, 1)
layer = next(layer for layer in part.modules() if isinstance(layer, nn.Conv2d))
layer.weight.data = kernel[None, None].clone()
layer.bias.data.zero_()
result = part(picture[None, None])[0, 0]
print("by hand the same:", torch.allclose(result, normalised.clamp(min=0), atol=1e-6))

# %% [markdown]
# {{exercise 02.block}}
#
# Several of these parts in a row are a **block**. The first convolution of a block changes the number of
# channels from `inputs` to `outputs`, the others keep it. Return a block of `count` convolutions as one
# module, made with your `convolution`; `count` is at least 1. Each of them has weights of its own.


# %%
def block(inputs, outputs, count):
    """`count` convolutions; the first changes the channels from `inputs` to `outputs`."""
    ### BEGIN SOLUTION
    first = convolution(inputs, outputs)
    return nn.Sequential(first, *(convolution(outputs, outputs) for _ in range(count - 1)))
    ### END SOLUTION


# %%
block = check("02.block", block)

# %%
print("a block of two:", list(block(3, 64, count=2)(torch.zeros(2, 3, 45, 70)).shape))

# %% [markdown]
# **To think through (5 minutes).** Set the bias of `layer` to 5 and run `part` again on the picture. What
# changes, and why?
#
# <details><summary>One answer</summary>
#
# ```python
# layer.bias.data.fill_(5)
# print(torch.allclose(part(picture[None, None])[0, 0], result, atol=1e-5))  # True
# ```
#
# Nothing changes. The bias raises all pixels of the channel by 5, and their mean with them, and the
# normalisation takes the mean away. Before a batch normalisation the bias is superfluous; $\beta$ does its
# work. The published network has it all the same, and we keep it, so that our parameter counts agree with
# the published ones.
#
# </details>

# %% [markdown]
# ## 3. Pool with indices, unpool with indices
#
# A **max-pool** of 2×2 keeps the largest of four numbers. SegNet also writes down where it stood. That place
# is an **index**: the number of the pixel, counted row by row from 0. In a picture that is $W$ pixels wide,
#
# $$ \text{index} = \text{row} \cdot W + \text{column} $$
#
# What of a picture with an odd number of rows or columns? Then the last window is cut: one row or column is
# pooled by itself. The new size is $\lceil H / 2 \rceil$, rounded **up**: 5 rows become 3. (Rounding down
# would drop the last row, and nobody could put it back.)


# %% [markdown]
# {{exercise 02.pool_by_hand}}
#
# Write it for one picture of shape [H, W] of any size and with any numbers, negative ones too. Return two
# tensors of half its height and width, rounded up: the maxima, and their indices in the picture, which are
# whole numbers (`torch.int64`).
#
# <details><summary>Stuck?</summary>
#
# A slice that reaches beyond the border is cut by itself: `picture[4:6]` of five rows has one row. So walk
# through the upper left corners of the windows and cut each one out. `argmax` counts inside the window; turn
# that into a row and a column of the picture, and mind that a cut window is narrower.
#
# </details>


# %%
def pool_by_hand(picture):
    """Maxima of 2x2 windows, and the indices of the pixels where they stood: two tensors."""
    ### BEGIN SOLUTION
    height, width = picture.shape
    maxima, indices = [], []
    for top in range(0, height, 2):
        for left in range(0, width, 2):
            rows, columns = range(top, min(top + 2, height)), range(left, min(left + 2, width))
            window = {row * width + column: picture[row, column].item() for row in rows for column in columns}
            indices.append(max(window, key=window.get))
            maxima.append(window[indices[-1]])
    shape = math.ceil(height / 2), math.ceil(width / 2)
    return torch.tensor(maxima).view(shape), torch.tensor(indices).view(shape)
    ### END SOLUTION


# %%
pool_by_hand = check("02.pool_by_hand", pool_by_hand)

# %% [markdown]
# **Predict.** Pool this picture on paper: four maxima and their four indices.

# %%
small_picture = torch.tensor([[1.0, 3, 2, 1], [4, 2, 0, 5], [0, 1, 7, 2], [6, 2, 3, 4]])
maxima, indices = pool_by_hand(small_picture)
print(maxima)
print(indices)

# %% [markdown]
# The 4 stood in row 1, column 0: index $1 \cdot 4 + 0 = 4$. The 7 stood in row 2, column 2: index 10.
#
# **Unpooling** turns this round. It starts with zeros and puts each value back where its maximum was. The
# size has to be told: 6 rows and 5 rows both came down to 3, so it cannot be guessed.


# %% [markdown]
# {{exercise 02.unpool_by_hand}}
#
# Now for real feature maps. Values and indices have the shape [B, C, h, w]: B images with C channels each,
# and every channel of every image was pooled by itself, with indices of its own. `size` holds the height and
# the width (H, W) of the result, which has the shape [B, C, H, W]. Gradients must be able to flow from the
# result to the values.
#
# <details><summary>Stuck?</summary>
#
# An index counts the pixels of one picture as if they stood in one long row. So make the result with one long
# row per image and channel, fill it, and give it its two sides at the end. Begin with two loops, over images
# and channels; `tensor.scatter` does it without loops.
#
# </details>


# %%
def unpool_by_hand(values, indices, size):
    """[B, C, h, w] -> pictures [B, C, H, W] that hold each value at its index and 0 elsewhere."""
    ### BEGIN SOLUTION
    height, width = size
    rows = values.new_zeros(*values.shape[:2], height * width)
    rows = rows.scatter(2, indices.flatten(2), values.flatten(2))
    return rows.unflatten(2, (height, width))
    ### END SOLUTION


# %%
unpool_by_hand = check("02.unpool_by_hand", unpool_by_hand)

# %%
restored = unpool_by_hand(maxima[None, None], indices[None, None], small_picture.shape)[0, 0]
print(restored)
print("the maxima are in place:", torch.equal(restored[restored > 0], small_picture[restored > 0]))
print("numbers lost:", int((restored != small_picture).sum()), "of", small_picture.numel())


# %%
def draw_numbers(axis, numbers, title, highlight):
    """A grid of numbers with some cells highlighted."""
    axis.imshow(torch.where(highlight, 1.0, 0.0), cmap="Blues", vmin=0, vmax=3)
    for row in range(numbers.shape[0]):
        for column in range(numbers.shape[1]):
            axis.text(column, row, f"{numbers[row, column]:g}", ha="center", va="center", fontsize=13)
    rows, columns = numbers.shape
    axis.set(xticks=[x - 0.5 for x in range(columns + 1)], yticks=[y - 0.5 for y in range(rows + 1)])
    axis.grid(color="0.4")
    axis.tick_params(length=0, labelbottom=False, labelleft=False)
    axis.set_title(title)


figure, axes = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained", width_ratios=[2, 1, 1, 2])
everywhere = torch.ones(2, 2, dtype=torch.bool)
draw_numbers(axes[0], small_picture, "picture", restored > 0)
draw_numbers(axes[1], maxima, "pooled", everywhere)
draw_numbers(axes[2], indices, "indices", everywhere)
draw_numbers(axes[3], restored, "unpooled", restored > 0)
print(f"{int((restored > 0).sum())} maxima, {int((restored == 0).sum())} zeros")
plots.show(figure, "Four grids of numbers: the picture with the maximum of each 2 by 2 window "
           "highlighted, the maxima 4, 5, 6, 7, their indices 4, 7, 12, 10, and the unpooled picture: "
           "the maxima in their old places, zeros elsewhere.")  # fmt: skip

# %% [markdown]
# The decoder could also grow a picture by **bilinear interpolation**: new pixels are weighted means of the
# old ones, and no index is needed. Our four numbers show the difference: interpolation gives a smooth slope,
# and does not know in which corner of its window the 7 stood.

# %%
print(F.interpolate(maxima[None, None], size=(4, 4), mode="bilinear", align_corners=True)[0, 0])


# %% [markdown]
# ### Any image size
#
# From here on we take torch's own functions, which do the same and are fast. `ceil_mode` rounds up, and
# `output_size` tells the size. The check on a picture with two odd sides:


# %%
def pool(features):
    """Halve height and width by the maximum of 2x2 pixels; also return where each maximum was."""
    return F.max_pool2d(features, 2, stride=2, ceil_mode=True, return_indices=True)


def unpool(features, indices, size):
    """Put each value back where its maximum was, in an image of `size` (H, W) that is 0 elsewhere."""
    return F.max_unpool2d(features, indices, 2, stride=2, output_size=list(size))


odd = torch.rand(1, 1, 5, 7)
pooled, where = pool(odd)
by_hand = pool_by_hand(odd[0, 0])
print("5 x 7 becomes", " x ".join(map(str, pooled.shape[2:])))
print("by hand the same:", torch.equal(pooled[0, 0], by_hand[0]), torch.equal(where[0, 0], by_hand[1]))
unpooled = unpool(pooled, where, size=(5, 7))
print("unpooled the same:", torch.equal(unpooled, unpool_by_hand(pooled, where, (5, 7))))
print("pooling it again gives the maxima:", torch.equal(pool(unpooled)[0], pooled))

# %% [markdown]
# **Predict.** A picture of 3×3 has its only bright pixel in the last corner, at index 8. We pool it and
# unpool it without naming the size. `max_unpool2d` then assumes twice the pooled size, 4×4. Where does the
# bright pixel come out? Write `"row 2, column 2"`, `"row 2, column 0"` or `"an error"`, counted from 0.

# %%
### BEGIN SOLUTION
guess = "row 2, column 0"
### END SOLUTION
corner = torch.zeros(1, 1, 3, 3)
corner[0, 0, 2, 2] = 1
corner_maxima, corner_indices = pool(corner)
guessed_size = F.max_unpool2d(corner_maxima, corner_indices, 2)
row, column = guessed_size[0, 0].nonzero()[0].tolist()
compare("02.lost_corner", guess, f"row {row}, column {column}")

# %%
right_size = unpool(corner_maxima, corner_indices, (3, 3))
print("guessed size:", guessed_size[0, 0].int().tolist())
print("right size:  ", right_size[0, 0].int().tolist())

# %% [markdown]
# In a picture four pixels wide, index 8 is row 2, column **0**: the pixel has jumped from the right border
# to the left one. No error is raised. This is why our encoder hands the sizes to the decoder together with
# the indices.
#
# **To think through (5 minutes).** An image of 100×100 goes through five pools. Which sizes does it take? The
# code that came with the paper wants sides that are multiples of 32. Where would 100 go wrong if the pool
# rounded down and the unpool doubled?
#
# <details><summary>One answer</summary>
#
# 100 → 50 → 25 → 13 → 7 → 4. Rounding down: 100 → 50 → 25 → 12 → 6 → 3, and doubled up again 3 → 6 → 12 →
# 24: not 25. There the tensor no longer has the size of its mirror in the encoder.
#
# </details>

# %% [markdown]
# ## 4. What pooling loses and what the indices bring back
#
# We take the hardest thing in a street: poles, lamps and signs. In SynthCity they are the class *object*,
# and many are one or two pixels thin. Their mask, 1 on an object and 0 elsewhere, goes down by several pools
# and comes back up in two ways: with the indices, and by bilinear interpolation of the smallest picture.
#
# We judge the result by two numbers. **Precision**: which share of the pixels above one half is truly
# object? **Recall**: which share of the object's pixels is above one half?

# %%
OBJECT = labels.names.index("object")
masks = [(frame["segmentation"] == OBJECT).float()[None, None] for frame in frames]
mask = max(masks, key=torch.sum)  # the frame with most of it


def down_and_up(picture, levels):
    """The smallest picture, and two ways back to full size: with indices, and bilinear."""
    small, stack = picture, []
    for _ in range(levels):
        size = small.shape[2:]
        small, where = pool(small)
        stack.append((where, size))
    sharp = small
    for where, size in reversed(stack):
        sharp = unpool(sharp, where, size)
    smooth = F.interpolate(small, size=picture.shape[2:], mode="bilinear", align_corners=True)
    return small, sharp, smooth


def precision_and_recall(found, truth):
    """Shares of truth among what is found, and of what is found among the truth."""
    hits = ((found > 0.5) & (truth > 0.5)).sum()
    return (hits / (found > 0.5).sum()).item(), (hits / truth.sum()).item()


# %% [markdown]
# **Predict.** After five pools and back: which of the two ways finds the larger share of the object's pixels,
# that is, has the higher recall? Write `"with indices"` or `"bilinear"`. And which has the higher precision?

# %%
### BEGIN SOLUTION
guess = "bilinear"
### END SOLUTION
_, sharp, smooth = down_and_up(mask, levels=5)
recalls = {"with indices": precision_and_recall(sharp, mask)[1], "bilinear": precision_and_recall(smooth, mask)[1]}
compare("02.recall", guess, max(recalls, key=recalls.get))

# %%
print("        with indices        bilinear")
print("pools   precision recall    precision recall")
for levels in range(1, 6):
    small, sharp, smooth = down_and_up(mask, levels)
    scores = [*precision_and_recall(sharp, mask), *precision_and_recall(smooth, mask)]
    print("{:5}   {:9.2f} {:6.2f}    {:9.2f} {:6.2f}".format(levels, *scores))

# %%
truth = mask[0, 0]
panels = {"objects": truth, "with indices": sharp[0, 0], "bilinear": smooth[0, 0]}
figure = plots.pictures(panels, columns=3, scale=(0, 1), unit="after 5 pools and back", source=frames.source)
rows, columns = torch.nonzero(sharp[0, 0], as_tuple=True)
figure.axes[1].scatter(columns, rows, s=12, color=plots.OKABE_ITO["yellow"])  # single pixels are hard to see
print(f"objects: {truth.mean():.0%} of the pixels; after 5 pools: {len(rows)} points with indices,")
print(f"and with bilinear {(smooth > 0.5).float().mean():.0%} of the pixels above one half")
plots.show(figure, "Left the mask of poles, lamps and signs. Middle, with indices: a few points, all "
           "on the objects. Right, bilinear: broad blurred blobs where the objects were.")  # fmt: skip

# %% [markdown]
# Neither way is good, and each is bad in its own manner.
#
# * **Bilinear** keeps most of the recall and loses the precision. It knows that a window of 32×32 pixels
#   holds an object somewhere, and paints the whole neighbourhood.
# * **With indices** the precision stays 1.00: each point that comes back lies on the object, to the pixel.
#   But a window has one maximum, so of up to 1024 pixels one point returns.
#
# So the indices bring back *where*, not *how much*. The unpooled picture is sharp and nearly empty. Filling
# the gaps is the task of the convolutions that follow each unpool. A single one with weights of 1 shows how:

# %%
maxima, indices = pool_by_hand(small_picture)
sparse = unpool_by_hand(maxima[None, None], indices[None, None], (4, 4))[0, 0]
dense = convolve(sparse, torch.ones(3, 3), padding=1)
print("pixels above 0 before the convolution:", int((sparse > 0).sum()))
print("pixels above 0 after it:              ", int((dense > 0).sum()))
print(dense)

# %% [markdown]
# One convolution fills all gaps, for in a window of 2×2 every pixel is a neighbour of the maximum. The
# decoder convolves after every single unpool, so it never has to bridge a wider gap. And a real feature map
# has not one channel but 64 to 512, each with its own maxima and its own indices.
#
# The indices are also cheap. SegNet stores one small integer per pooled value. U-Net (Ronneberger and
# others, MICCAI 2015), another well-known encoder-decoder, hands over all the features of each level.

# %% [markdown]
# ## 5. Encoder, decoder, head
#
# The **encoder** has five blocks with a pool after each. Beside the smallest features it returns what the
# way back needs: for every level the indices and the size before the pool. `filters` holds the number of
# channels of the five levels; the published network has 64, 128, 256, 512, 512.

# %%
FILTERS = (64, 128, 256, 512, 512)
CONVOLUTIONS = (2, 2, 3, 3, 3)
LEVELS = range(len(FILTERS))


class Encoder(nn.Module):
    """Five blocks, F_0 to F_4 channels. Between blocks, `pool` halves the size."""

    def __init__(self, filters):
        super().__init__()
        inputs = [3, *filters[:-1]]
        self.blocks = nn.ModuleList(block(inputs[j], filters[j], CONVOLUTIONS[j]) for j in LEVELS)

    def forward(self, images):
        features, indices, sizes = images, [], []
        for convolutions in self.blocks:
            features = convolutions(features)
            sizes.append(features.shape[2:])
            features, where = pool(features)
            indices.append(where)
        return features, indices, sizes


# %% [markdown]
# The **decoder** is its mirror. It starts at the deepest level. Each level is unpooled with the indices of
# *its* level of the encoder, then goes through as many convolutions as the encoder has there.
#
# The channels have to fit: indices of level $j$ were made for $F_j$ channels, so the tensor that is unpooled
# must have $F_j$ channels. Therefore the block of level $j$ takes $F_j$ channels and gives $F_{j-1}$, just
# what the next unpool needs. At level 0 nothing follows, and $F_0$ stays.

# %% [markdown]
# {{exercise 02.Decoder}}
#
# Two places are yours. `outputs` is a list: how many channels the block of each level gives, level 0 first.
# And `forward` gets the smallest features and the encoder's two lists, the indices and the sizes (H, W) of
# the five levels, level 0 first. It returns features of the size of the image. `unpool` and `self.blocks` are
# all that it needs.
#
# <details><summary>Stuck?</summary>
#
# Draw the ten blocks as an hourglass and write the channels between them. On the way down level 0 comes
# first. Which one comes first on the way up?
#
# </details>


# %%
class Decoder(nn.Module):
    """The encoder's mirror. `blocks[j]` works at the size of level j: F_j channels in, F_{j-1} out."""

    def __init__(self, filters):
        super().__init__()
        ### BEGIN SOLUTION
        outputs = [filters[0], *filters[:-1]]
        ### END SOLUTION
        self.blocks = nn.ModuleList(block(filters[j], outputs[j], CONVOLUTIONS[j]) for j in LEVELS)

    def forward(self, features, indices, sizes):
        ### BEGIN SOLUTION
        for j in reversed(LEVELS):
            features = self.blocks[j](unpool(features, indices[j], sizes[j]))
        return features
        ### END SOLUTION


# %%
Decoder = check("02.Decoder", Decoder)

# %% [markdown]
# **Predict.** An image of 45×70 pixels, and a thin network with 2, 3, 4, 5, 6 channels. Which shape comes
# out of the encoder, which out of the decoder?

# %%
torch.manual_seed(0)
encoder, decoder = Encoder((2, 3, 4, 5, 6)), Decoder((2, 3, 4, 5, 6))
smallest, level_indices, sizes = encoder(torch.rand(1, 3, 45, 70))
print("encoder:", list(smallest.shape), "from sizes", [tuple(size) for size in sizes])
print("decoder:", list(decoder(smallest, level_indices, sizes).shape))

# %% [markdown]
# The **head** turns the last features into the prediction of a task: a 3×3 convolution, then a 1×1
# convolution to as many channels as the task has; for segmentation one per class. There is no normalisation
# and no ReLU: a **score** may be any number, and the largest of the seven wins. Last comes the activation of
# the task. For segmentation it does nothing; the normals of chapter 03 use it to get length 1.


# %%
class Head(nn.Module):
    """The last two layers of a task, with nothing between, then the task's activation."""

    def __init__(self, inputs, task):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, padding=1),
            nn.Conv2d(inputs, task.channels, 1),
        )
        self.activation = task.activation

    def forward(self, features):
        return self.activation(self.layers(features))


todo = [tasks.segmentation(7)]
print("scores:", list(Head(2, todo[0])(torch.zeros(1, 2, 45, 70)).shape))

# %% [markdown]
# ### How large should the first weights be?
#
# A value of a convolution is a sum of $n = 9\, C_\text{in}$ products. If weights and inputs are independent
# and the weights have mean 0,
#
# $$ \text{Var}(y) = n \; \text{Var}(w) \; \text{E}[x^2] $$
#
# With weights too small, the signal shrinks at every layer; with weights too large, it grows. After 13
# layers either is a disaster. It stays as it is if $n\, \text{Var}(w) = 1$. For the gradient, which goes
# backwards, the same argument gives $9\, C_\text{out}$ in place of $n$. **Xavier's initialisation** (Glorot
# and Bengio, AISTATS 2010) takes the mean of the two:
#
# $$ \text{Var}(w) = \frac{2}{9\, C_\text{in} + 9\, C_\text{out}} $$
#
# For 64 channels in and 64 out this is $2 / 1152 = 1 / 24^2$: a standard deviation of $1 / 24 = 0.042$.
#
# **Predict.** What does a ReLU do to this? It sets about half of the values to 0.


# %%
def spread(initialise, *extra):
    """Standard deviations after 13 convolutions of 64 channels, each followed by the layers `extra`."""
    torch.manual_seed(0)
    signal, spreads = torch.randn(1, 64, 32, 64), []
    for _ in range(13):
        layer = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        initialise(layer.weight)
        with torch.no_grad():
            signal = nn.Sequential(layer, *extra)(signal)
        spreads.append(signal.std().item())
    return spreads


xavier = nn.init.xavier_normal_
runs = {
    "standard deviation 0.1": spread(lambda weight: nn.init.normal_(weight, std=0.1)),
    "Xavier": spread(xavier),
    "Xavier, batch norm, ReLU": spread(xavier, nn.BatchNorm2d(64), nn.ReLU()),
    "Xavier, ReLU": spread(xavier, nn.ReLU()),
    "standard deviation 0.01": spread(lambda weight: nn.init.normal_(weight, std=0.01)),
}
for name, spreads in runs.items():
    print(f"{name:25} after 13 convolutions: {spreads[-1]:.2g}")

# %%
figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
colours = [plots.OKABE_ITO[name] for name in ("vermilion", "blue", "green", "sky blue", "purple")]
looks = zip(colours, ["--", "-", "-", "-.", ":"], strict=True)
for (name, spreads), (colour, line_style) in zip(runs.items(), looks, strict=True):
    axis.semilogy(range(1, 14), spreads, color=colour, linestyle=line_style, label=name)
axis.set(xlabel="convolutions passed", ylabel="standard deviation (no unit)", xticks=range(1, 14))
axis.grid(color="0.9")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
largest, *_, smallest = (spreads[-1] for spreads in runs.values())
print(f"highest line / lowest line after 13: 10^{math.log10(largest / smallest):.0f}")
plots.show(figure, "Five lines over 13 convolutions on a logarithmic scale: with 0.1 the signal "
           "explodes, with 0.01 it vanishes, with Xavier it stays near 1, with ReLU it sinks slowly, with "
           "batch normalisation and ReLU it is constant.")  # fmt: skip

# %% [markdown]
# Xavier alone keeps the signal near 1. (It sinks a little: at the border, zeros come in.) With a ReLU about
# half of $\text{E}[x^2]$ is lost at each layer, a factor of $1/\sqrt{2}$ in the standard deviation. Batch
# normalisation repairs this at every layer, so in the encoder and decoder the scale of the first weights
# hardly matters for the forward pass. It matters in the head, which has no normalisation: with Xavier the
# first scores are of the order of 1, and the first loss is near that of a fair guess. We shall see it in
# section 7.

# %% [markdown]
# ## 6. The whole network
#
# All parts are there. `width` scales the number of channels, so that the same network fits a small machine:
# `width=1` is the paper's, `width=1/8` the one we train on a laptop. There may be several heads, one per
# task. In this chapter it is one. With several tasks on one decoder it is the **Split** network, a baseline
# of later chapters.


# %%
def filters_at(width):
    """The channels of the five levels of a network `width` times as wide as the paper's; at least 1 each."""
    return tuple(max(1, round(count * width)) for count in FILTERS)


def initialise(network):
    """Xavier-normal weights and zero biases for every convolution, as in the authors' code."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)


# %%
class SegNet(nn.Module):
    """Encoder, decoder, one head per task: [B, 3, H, W] -> {task.name: [B, task.channels, H, W]}."""

    def __init__(self, tasks, width=1.0):
        super().__init__()
        filters = filters_at(width)
        self.encoder = Encoder(filters)
        self.decoder = Decoder(filters)
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in tasks})
        initialise(self)

    def forward(self, images):
        features = self.decoder(*self.encoder(images))
        return {name: head(features) for name, head in self.heads.items()}


# %% [markdown]
# **Predict.** Write a table for an image of 128×256 at full width: channels and size after each block of the
# encoder, before its pool, and after each block of the decoder.
#
# (A **hook** is a function that a module calls whenever it has computed. Here it prints the shapes.)


# %%
@torch.no_grad()
def shape_table(model, images):
    """Print the shape of the features before and after every block, in the order in which the blocks compute."""

    def show(name, before, after):
        print(f"{name:12} {list(before.shape[1:])!s:16} becomes {list(after.shape[1:])}")

    parts = {f"encoder {j + 1}": model.encoder.blocks[j] for j in LEVELS}
    parts |= {f"decoder {j + 1}": model.decoder.blocks[j] for j in LEVELS}
    parts |= model.heads.items()
    hooks = [
        part.register_forward_hook(lambda part, inputs, output, name=name: show(name, inputs[0], output))
        for name, part in parts.items()
    ]
    pooled = model.encoder.register_forward_hook(
        lambda encoder, inputs, output: print(f"{'pooled':12} {list(output[0].shape[1:])}")
    )
    model(images)
    for hook in (*hooks, pooled):
        hook.remove()


# %%
torch.manual_seed(0)
full_width = SegNet(todo, width=1).eval()
shape_table(full_width, frame["image"][None])

# %% [markdown]
# Read it from the middle outwards: decoder $j$ has the size of encoder $j$. What goes into a block of the
# encoder comes from the pool before it, what goes into one of the decoder from the unpool before it. The
# levels are counted from 1 in the paper and in this table, from 0 in the code. Here is the same as a drawing:
# a block is as tall as its feature map and as wide as the number of channels that it gives.

# %%
names = [f"encoder {j + 1}" for j in LEVELS] + [f"decoder {j + 1}" for j in reversed(LEVELS)]
channels = [*FILTERS, *([FILTERS[0], *FILTERS[:-1]][j] for j in reversed(LEVELS))]
heights = [128 / 2**j for j in (*LEVELS, *reversed(LEVELS))]
arrow = {"arrowstyle": "->", "color": plots.OKABE_ITO["vermilion"], "connectionstyle": "arc3,rad=-0.3"}
figure, axis = plt.subplots(figsize=(9, 3.6), layout="constrained")
for x, (count, height) in enumerate(zip(channels, heights, strict=True)):
    colour = plots.OKABE_ITO["blue" if x < 5 else "green"]
    axis.add_patch(Rectangle((x - count / 1200, -height / 2), count / 600, height, color=colour))
    axis.text(x, -height / 2 - 4, f"{count}\n{height:.0f}×{2 * height:.0f}", ha="center", va="top")
for j in LEVELS:
    axis.annotate("", xy=(9 - j, heights[j] / 2 + 2), xytext=(j, heights[j] / 2 + 2), arrowprops=arrow)
axis.set(xlim=(-0.6, 9.6), ylim=(-100, 185), yticks=[], xlabel="under each block: its channels, its size")
axis.set_xticks(range(10), [name.replace(" ", "\n") for name in names])
axis.spines[["top", "left", "right"]].set_visible(False)
values = [count * height * 2 * height for count, height in zip(channels, heights, strict=True)]
print(f"{names[0]} gives {values[0]:,.0f} values, {names[4]} {values[4]:,.0f}")
plots.show(figure, "SegNet as an hourglass of ten blocks: five blue encoder blocks, each lower than the one "
           "before, and five green decoder blocks, their mirror. An arrow, the indices, leads from each "
           "encoder block to the decoder block of its size. Channels: 64, 128, 256, 512, 512, then 512, "
           "256, 128, 64, 64.")  # fmt: skip

# %% [markdown]
# The arrows are indices and sizes. They are all that goes from the encoder to the decoder, apart from the
# smallest features in the middle.
#
# ### Counting parameters
#
# What does a layer learn? A convolution has a kernel of 3×3 for **each pair** of an input and an output
# channel, and a bias for each output channel. Its batch normalisation has $\gamma$ and $\beta$, one of each
# per channel. (The running averages are kept, not learned. Torch calls what is learned a **parameter**, what
# is only kept a **buffer**.)

# %% [markdown]
# {{exercise 02.block_parameters}}
#
# How many parameters has a block? Write it as a formula of its three numbers, without making a block. Begin
# with a single convolution from `inputs` to `outputs`.


# %%
def block_parameters(inputs, outputs, count):
    """The number of parameters of a block of `count` convolutions, each with its batch normalisation."""
    ### BEGIN SOLUTION
    first, other = (9 * channels * outputs + 3 * outputs for channels in (inputs, outputs))
    return first + (count - 1) * other
    ### END SOLUTION


# %%
block_parameters = check("02.block_parameters", block_parameters)

# %% [markdown]
# A check by hand: the first convolution of all, from 3 to 64 channels, has $9 \cdot 3 \cdot 64 = 1728$
# weights, 64 biases, 64 $\gamma$ and 64 $\beta$: together 1920. The head has $9 \cdot 64 \cdot 64 + 64$ and
# $64 \cdot 7 + 7$, together 37,383.
#
# **Predict.** Which level holds most parameters? Before you run the cell, compute encoder 5: three
# convolutions from 512 to 512.


# %%
encoder_channels = list(zip([3, *FILTERS[:-1]], FILTERS, CONVOLUTIONS, strict=True))
decoder_channels = list(zip(FILTERS, [FILTERS[0], *FILTERS[:-1]], CONVOLUTIONS, strict=True))
parameters = {f"encoder {j + 1}": block_parameters(*encoder_channels[j]) for j in LEVELS}
parameters |= {f"decoder {j + 1}": block_parameters(*decoder_channels[j]) for j in reversed(LEVELS)}
parameters["head"] = 9 * 64 * 64 + 64 + 64 * 7 + 7
for name, count in parameters.items():
    print(f"{name:10} {count:>10,}")
print(f"{'together':10} {sum(parameters.values()):>10,}")

# %% [markdown]
# {{exercise 02.count_parameters}}
#
# Does the network really have that many? Count what the optimiser would change: the function gets any
# `nn.Module` and returns the number of its **trainable** parameters, those with `requires_grad`. Weights that
# two layers share count once.


# %%
def count_parameters(model):
    """The number of trainable parameters."""
    ### BEGIN SOLUTION
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    ### END SOLUTION


# %%
count_parameters = check("02.count_parameters", count_parameters)

# %%
counted = count_parameters(full_width)
print(f"{counted:,}; the formula says the same: {counted == sum(parameters.values())}")
print("first convolution, 1920:", count_parameters(convolution(3, 64)) == 1920)

# %%
shares = {name: count / counted * 100 for name, count in parameters.items()}
deep = sum(share for name, share in shares.items() if name[-1] in "45")
print(f"levels 4 and 5 together: {deep:.1f} % of the parameters")
figure = plots.bars(shares, "share of the parameters (%)", number_format=".1f")
plots.show(figure, "Bars of the share of parameters in each block: encoder 5 and decoder 5 have 28 per cent "
           "each, levels 1 and 2 and the head together less than 3 per cent.")  # fmt: skip

# %% [markdown]
# Nine of ten parameters sit at the two deepest levels, where the picture has only 8×16 and 16×32 pixels,
# because there nearly every convolution has 512 channels on both sides. Computing time is another matter: at
# level 1 each weight is used at 32,768 places, at level 5 at 128.
#
# **Predict.** We halve the width, so that every level has half as many channels. How many per cent of the
# parameters are left?

# %%
### BEGIN SOLUTION
guess = 25
### END SOLUTION
compare("02.half_width", guess, 100 * count_parameters(SegNet(todo, 1 / 2)) / counted)

# %%
print("width  channels                    parameters  of the full ones")
for width in (1, 1 / 2, 1 / 4, 1 / 8):
    count = count_parameters(SegNet(todo, width))
    print(f"{width:<6g} {filters_at(width)!s:26} {count:>11,}  1 / {counted / count:.1f}")

# %% [markdown]
# It falls to a quarter: width is on both sides of a convolution, so $9\, C_\text{in} C_\text{out}$ goes with
# the square. The small terms, $3\, C_\text{out}$ and the first layer with its three colours, go with the
# width itself. That is why the last line is not quite 1 / 64.
#
# The formula gives the number for any width without making the network. Here it is as a curve; both axes are
# logarithmic, so a square is a straight line. It is twice as steep as the dashed line, which shows what one
# might expect: numbers in proportion to the width.


# %%
def parameters_at(width):
    """The parameters of a SegNet for seven classes, by the formula."""
    filters = filters_at(width)
    down = zip([3, *filters[:-1]], filters, CONVOLUTIONS, strict=True)
    up = zip(filters, [filters[0], *filters[:-1]], CONVOLUTIONS, strict=True)
    head = 9 * filters[0] ** 2 + filters[0] + 7 * filters[0] + 7
    return head + sum(block_parameters(*channels) for channels in (*down, *up))


def draw(width=0.125):
    """The parameters against the width, with a point at one width."""
    widths = [2 ** (exponent / 2) for exponent in range(-10, 3)]
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    axis.loglog(widths, [parameters_at(w) for w in widths], color=plots.OKABE_ITO["blue"], label="SegNet")
    proportional = [parameters_at(1) * w for w in widths]
    axis.loglog(widths, proportional, color="0.5", linestyle="--", linewidth=1, label="in proportion to the width")
    axis.plot(width, parameters_at(width), "o", color=plots.OKABE_ITO["vermilion"])
    axis.set(xlabel="width (1 is the paper's)", ylabel="parameters")
    axis.grid(color="0.9")
    axis.legend(frameon=False)
    print(f"width {width:g}, channels {filters_at(width)}: {parameters_at(width):,} parameters")
    plots.show(figure, "The number of parameters against the width on two logarithmic axes: a straight line, twice "
               "as steep as a dashed one for numbers in proportion to the width. Both meet at width 1.")  # fmt: skip


draw()
print("formula and network agree:", parameters_at(1 / 8) == count_parameters(SegNet(todo, 1 / 8)))

# %%
sliders(draw, width=(0.03125, 2.0, 0.03125))

# %% [markdown]
# ### The package's SegNet is the one you built
#
# From here on the course imports it. The rule of the course: the package holds only what a chapter has
# built. So we check that both are the same network, by their answers to random images of an odd size.
#
# Your blocks may name or order their layers otherwise. So we copy the weights layer by layer, in the order in
# which the layers compute. Hooks tell it.


# %%
def layers_in_order(network, images):
    """The convolutions and normalisations of a network, in the order in which they compute."""
    order = []
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    hooks = [layer.register_forward_hook(lambda layer, inputs, output: order.append(layer)) for layer in layers]
    network(images)
    for hook in hooks:
        hook.remove()
    return order


# %%
torch.manual_seed(0)
ours, packaged = SegNet(todo, width=1 / 8), segnet.SegNet(todo, width=1 / 8)
images = torch.rand(2, 3, 45, 70)
orders = [layers_in_order(network, images) for network in (ours, packaged)]
for our_layer, packaged_layer in zip(*orders, strict=True):
    packaged_layer.load_state_dict(our_layer.state_dict())  # would raise if a shape differed
for mode, training in {"training": True, "evaluation": False}.items():
    answers = [network.train(training)(images)["segmentation"] for network in (ours, packaged)]
    print(f"same answer in {mode}:", torch.allclose(*answers, atol=1e-4))
print(f"{len(orders[0])} layers with weights")
print("output:", list(answers[0].shape))

# %% [markdown]
# ## 7. Train one task
#
# `SETTINGS` holds two sizes of the run. *quick* runs everywhere: drawn frames, an eighth of the width, 50
# steps. *paper* runs where a GPU and real Cityscapes are at hand: full width and the paper's learning rate.
# It stops after 10 epochs, since our plain loop would lose all if the machine went away. Chapter 06 builds
# the loop that can take up a broken run, and there the paper's 200 epochs are trained. The learning rate of
# *quick* is a hundred times the paper's: fifty steps get nowhere with small ones.

# %%
SETTINGS = {
    "quick": {"name": "synthcity", "size": (64, 128), "frames": (400, 40), "width": 1 / 8},
    "paper": {"name": "cityscapes", "size": (128, 256), "frames": (None, None), "width": 1},
}
EPOCHS = {"quick": 1, "paper": 10}
LEARNING_RATE = {"quick": 1e-2, "paper": 1e-4}
run = platforms.run_size()
settings = SETTINGS[run]
root = platforms.find_data("cityscapes") if run == "paper" else None
train, val = (
    data.load(settings["name"], split, size=settings["size"], classes=7, length=length, root=root)
    for split, length in zip(("train", "val"), settings["frames"], strict=True)
)
print(f"{len(train)} frames to train on, {len(val)} to validate on, {train.size[0]} x {train.size[1]} pixels")

# %% [markdown]
# First the opponent: the **trivial predictor** of chapter 01, section 3, which says the most common class
# everywhere and does not look at the image. Whatever our network reaches has to be compared with it.
#
# The score is the mean IoU, from the same section: each class counts as much as any other, however rare it
# is. `metrics.Segmentation` computes it; chapter 03 builds it.
#
# **Predict.** Road and pavement, *flat*, are the most common class. From memory: what is the mean IoU over
# seven classes of the predictor that always says *flat*? (Its IoU for *flat* is the share of *flat*. And for
# the others?)

# %%
counts = torch.zeros(7)
for index in range(40):
    truth = train[index]["segmentation"]
    counts += torch.bincount(truth[truth >= 0], minlength=7)
frequencies = counts / counts.sum()
most_common = int(frequencies.argmax())
print(f"most common class: {labels.names[most_common]}, {frequencies[most_common]:.0%} of the labelled pixels")


# %%
@torch.no_grad()
def score(predict):
    """The metric of a function images -> scores, over all validation frames."""
    metric = metrics.Segmentation(7)
    for batch in DataLoader(val, batch_size=8):
        scores = predict(batch["image"].to(platform.device))
        metric.update(scores.cpu(), batch["segmentation"])
    return metric


always = F.one_hot(torch.tensor(most_common), 7).float().view(1, 7, 1, 1)
trivial = score(lambda images: always.expand(len(images), 7, *images.shape[2:])).compute()
print(f"always '{labels.names[most_common]}': mean IoU {trivial['mean_iou']:.2f}, "
      f"pixel accuracy {trivial['pixel_accuracy']:.2f}")  # fmt: skip

# %% [markdown]
# The same two numbers as in chapter 01, but for a percent or two: other frames.
#
# The loss is the **cross-entropy**: at each pixel, minus the logarithm of the probability that the network
# gives to the true class. Void pixels do not count. `losses.cross_entropy` does this; chapter 03 builds it
# and looks at it closely. Two numbers will help to read the curve:
#
# * Giving each class 1/7 costs $\ln 7$ everywhere.
# * Giving each class its frequency, whatever the image, costs the entropy $-\sum_c p_c \ln p_c$. That is the
#   best one can do blindly. A network below that has looked at the image.

# %%
fair_guess = math.log(7)
blind = torch.special.entr(frequencies).sum().item()  # -p ln p, and 0 for a class that does not occur
print(f"fair guess {fair_guess:.2f}, best blind guess {blind:.2f}")

# %% [markdown]
# Now the network. `models.build` makes the package's SegNet: "single" stands for a network of one task. It
# also lays the tensors out in memory so that a CPU is faster; the numbers it computes are the same up to
# rounding.

# %%
torch.manual_seed(0)
model = models.build("single", todo, width=settings["width"]).to(platform.device)
shown = next(iter(DataLoader(val, batch_size=2)))


@torch.no_grad()
def predict(images):
    model.eval()
    return model(images.to(platform.device))["segmentation"].cpu()


before = predict(shown["image"])
print(f"{count_parameters(model):,} parameters; all scores below 0.01: {bool(before.abs().max() < 0.01)}")

# %% [markdown]
# The scores of the untrained network are nearly 0. In evaluation, batch normalisation uses its running
# averages, and before the first step these are still 0 and 1: it does nothing, and the signal sinks like the
# line "Xavier, ReLU" of section 5, through 26 convolutions. In training this does not happen.
#
# The loop: take a batch, predict, compute the loss, set the gradients to zero, compute new ones, take a
# step. **Adam** (Kingma and Ba, ICLR 2015) is the paper's optimiser; it gives each weight a step size of its
# own.
#
# **Predict.** The loss of the first step (see the two numbers above), and whether 50 steps suffice to get
# below the best blind guess.

# %%
optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE[run])
history = []
model.train()
for _ in range(EPOCHS[run]):
    for batch in DataLoader(train, batch_size=8, shuffle=True):
        prediction = model(batch["image"].to(platform.device))["segmentation"]
        loss = losses.cross_entropy(prediction, batch["segmentation"].to(platform.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
last = sum(history[-5:]) / 5
print(f"{len(history)} steps; the first loss is near the fair guess: {abs(history[0] - fair_guess) < 0.6}")
print("the last five are below the best blind guess, on average:", last < blind)
print("less than half of the first loss:", last < history[0] / 2)

# %%
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
axis.plot(range(1, len(history) + 1), history, color=plots.TASK_COLOURS["segmentation"])
for level, name in ((fair_guess, "fair guess"), (blind, "best blind guess")):
    axis.axhline(level, color="0.5", linestyle="--", linewidth=1)
    axis.text(len(history), level, f"{name} ", ha="right", va="bottom", color="0.35")
axis.set(xlabel="training step", ylabel="cross-entropy (nats)", ylim=(0, None))
axis.grid(color="0.9")
print(f"fair guess {fair_guess:.2f}, best blind guess {blind:.2f}")
plots.show(figure, "The training loss over the steps: it starts a little above the fair guess, falls "
           "steeply, soon passes the best blind guess and then sinks slowly.")  # fmt: skip

# %% [markdown]
# The first loss is near the fair guess, as promised by the small scores of the head: an untrained network
# knows nothing, and with Xavier's weights it does not pretend to. (With ten times larger weights in the head
# it would be confidently wrong, and the first loss far higher.) Then the loss falls below the blind guess:
# the network looks at the image.
#
# ### Before and after

# %%
after = predict(shown["image"])
task, panels = todo[0], {}
for index in range(2):
    panels[f"frame {index + 1}"] = shown["image"][index]
    panels[f"truth {index + 1}"] = task.draw(shown["segmentation"][index])
    panels[f"before training {index + 1}"] = task.draw(before[index])
    panels[f"after training {index + 1}"] = task.draw(after[index])
figure = plots.pictures(panels, columns=4, source=f"{val.source}, validation frames")
lowest = figure.axes[-1].get_position().y0 * figure.get_figheight()
plots.legend(figure, labels, {-1, *range(7)}, below=lowest - 0.3)
right = [(scores.argmax(dim=1) == shown["segmentation"]).float().mean() for scores in (before, after)]
print("more pixels are right after training than before:", bool(right[1] > right[0]))
print(f"frames shown: {len(shown['image'])}")
plots.show(figure, "Two frames, each with its true classes, the prediction of the untrained network, a "
           "few classes as speckles, and the prediction after training: large areas are roughly right, "
           "ragged at the edges, and small and thin things are missing.")  # fmt: skip

# %% [markdown]
# ### An honest number
#
# **Predict.** How many times the mean IoU of the trivial predictor do 50 steps reach?

# %% tags=["reached"]
model.eval()
trained = score(lambda images: model(images)["segmentation"])
reached = trained.compute()
print("pixel accuracy above the trivial one:", reached["pixel_accuracy"] > trivial["pixel_accuracy"])
beats = "above" if reached["mean_iou"] > 2 * trivial["mean_iou"] else "not above"
print(f"mean IoU {beats} 2 x that of 'always {labels.names[most_common]}'")

# %% [markdown]
# Why a band and not a number? After 50 steps with such a large learning rate, two machines no longer agree:
# each rounding error of the first steps has grown, and another thread count or memory layout changes the
# second digit. Runs from three seeds differed by about 0.05. A difference of a few hundredths between two
# runs of this size means **nothing**. Remember this when a later chapter compares networks. What the bars
# below show on your machine is yours.

# %%
iou = trained.iou().tolist()
by_class = dict(zip(labels.names, iou, strict=True))
figure = plots.bars(by_class, "IoU on the validation frames", colours=labels.colours)
rare = [name for name, frequency in zip(labels.names, frequencies, strict=True) if frequency < 0.05]
print("classes with less than 5 % of the pixels:", ", ".join(rare))
print("the best IoU among them is below 0.1:", max(by_class[name] for name in rare) < 0.1)
print("IoU of the most common class above 0.6:", iou[most_common] > 0.6)
plots.show(figure, "Bars of the IoU of the seven classes: long for flat, shorter for the other common "
           "ones, hardly any for object and human.")  # fmt: skip

# %% [markdown]
# What is still wrong:
#
# * **Single things.** Look at the pictures above once more. The network has learned where in a street a
#   class usually lies and what colour it has: the grey below is road, what stands above it is a house. It
#   has hardly learned to see one car as a thing with an outline.
# * **Rare classes.** Objects and people have few pixels, so the mean over pixels that we minimise hardly
#   notices them. To call no pixel *human* costs almost nothing. The mean IoU notices: at least two of seven
#   classes are near zero. (*Nature* or *sky* may be missing as well, though neither is rare: with
#   *construction* they share the upper half of the picture, and which of them comes last differs from run to
#   run.)
# * **Thin things.** Poles are objects and rare, and thin on top. The indices could bring them back to the
#   pixel (section 4), but first the convolutions have to learn what a pole is, and in 50 steps they do not.
# * **Ragged edges.** Unpooled features are sparse; filling them well takes training, too.
#
# So most of this is want of training: a tiny network after 400 frames. The paper trains a full-width network
# for 200 epochs. But the order of the bars, large things first and thin and rare things last, is one that
# you will meet again.
#
# **To think through (15 minutes).** Do the indices help? Write a decoder that grows its features by
# `F.interpolate(features, size=tuple(sizes[j]), mode="bilinear", align_corners=True)` in place of `unpool`,
# put it into a SegNet and train it with the loop above. Compare the loss curves.
#
# <details><summary>One answer</summary>
#
# ```python
# class BilinearDecoder(Decoder):
#     def forward(self, features, indices, sizes):
#         for j in reversed(LEVELS):
#             features = F.interpolate(features, size=tuple(sizes[j]), mode="bilinear", align_corners=True)
#             features = self.blocks[j](features)
#         return features
#
# torch.manual_seed(0)
# model = SegNet(todo, width=1 / 8)
# model.decoder = BilinearDecoder(filters_at(1 / 8))
# initialise(model)
# model.to(platform.device)  # and now the cell of the loop again
# ```
#
# We ran both with three seeds. After 50 steps neither was ahead: now the one had the lower loss and the
# higher mean IoU, now the other. So section 4 shows what indices *can* carry, and a run of 50 steps does not
# show that a network makes use of it.
#
# </details>

# %% [markdown]
# ## Summary
#
# * A dense prediction needs far sight and fine detail: the encoder's pools widen the receptive field to 212
#   pixels, and the decoder brings the size back.
# * Max-pooling with indices remembers where each maximum stood; unpooling puts it back to the pixel and
#   leaves zeros, which the decoder's convolutions fill.
# * Every convolution has batch normalisation and ReLU, the head has neither; the network has 24,980,679
#   parameters at full width, nine of ten of them at the two deepest levels, and their number goes with the
#   square of the width.
#
# ## Quiz
#
# **1.** Without pools, how many 3×3 convolutions would it take to see as far as the encoder does?
#
# * a. 26
# * b. 212
# * c. 106
# * d. 416
#
# <details><summary>Answer</summary>
#
# **c.** Each adds 2 pixels: $1 + 2n \ge 212$ gives $n = 106$.
#
# * a: twice 13, as if all pools together gave a factor of two. Each of them doubles the steps of all later
#   layers.
# * b: that would be one pixel per layer, but a 3×3 kernel sees one pixel more on *each* side.
# * d: 32 times 13, as if every convolution went in steps of 32 pixels. The first ones go in steps of one.
#
# </details>
#
# **2.** A picture is pooled by 2×2 windows and unpooled with the indices. How many of the pixels can be
# different from 0?
#
# * a. a quarter
# * b. half
# * c. three quarters
# * d. all
#
# <details><summary>Answer</summary>
#
# **a.** One pixel of each window of four.
#
# * b: that would be right if only one side of the picture were halved.
# * c: those are the pixels that are lost.
# * d: that holds for bilinear growing, which fills every pixel with a mean of its neighbours.
#
# </details>
#
# **3.** The decoder has the indices. Why does it get the sizes, too?
#
# * a. They save memory.
# * b. Batch normalisation needs them.
# * c. Without them an index of a large picture would be out of range, and an error would stop the training.
# * d. 5 and 6 rows both pool to 3, and the indices mean other pixels in a picture of another width.
#
# <details><summary>Answer</summary>
#
# **d.** A size cannot be guessed from half of it, rounded up.
#
# * a: sizes save nothing. They are two numbers per level.
# * b: batch normalisation works on any size; it looks at channels.
# * c: the danger is that there is mostly *no* error. The values land on other pixels, as in section 3.
#
# </details>
#
# **4.** You double the width of SegNet. The number of parameters becomes about
#
# * a. twice as large
# * b. four times as large
# * c. eight times as large
# * d. 1.4 times as large
#
# <details><summary>Answer</summary>
#
# **b.** Input and output channels both double, and the number of weights is their product.
#
# * a: this holds only for biases, batch normalisation and the first layer, whose input stays at three
#   colours.
# * c: this would be right if the kernel grew, too.
# * d: that is the root of two. The number goes with the square of the width, not with its root.
#
# </details>
#
# **5.** The head is a 3×3 convolution directly followed by a 1×1 convolution. Can the two compute anything
# that a single 3×3 convolution could not?
#
# * a. Yes, two layers can always do more than one.
# * b. Yes, but only if a batch normalisation stands between them, in evaluation.
# * c. No, a linear map of a linear map is linear.
# * d. Yes, their receptive field is larger.
#
# <details><summary>Answer</summary>
#
# **c.** There is no non-linearity between the two. We keep both because the published network has them.
#
# * a: depth alone adds nothing without a non-linearity such as ReLU between the layers.
# * b: in evaluation a batch normalisation is linear as well: it multiplies and adds fixed numbers.
# * d: a kernel of 1×1 sees no pixel more. $(k - 1)\, s = 0$.
#
# </details>

# %% [markdown]
# This is what you have done so far, over all chapters. An exercise or prediction that is still open can be
# done at any time: change its cell and run it again.

# %% tags=["nbval-ignore-output", "why:shows-progress"]
progress()

# %% [markdown]
# ## What comes next
#
# One network, one task. Chapter 03 adds two more tasks, depth and surface normals, and looks at what makes a
# task: its loss, its metric and the pixels that do not count. Then chapter 04 builds the attention module
# that lets several tasks share this SegNet.
#
# ## Sources
#
# * V. Badrinarayanan, A. Kendall, R. Cipolla: *SegNet: A Deep Convolutional Encoder-Decoder Architecture for
#   Image Segmentation*, TPAMI 2017, <https://arxiv.org/abs/1511.00561>: the network and the pooling indices.
# * S. Liu, E. Johns, A. J. Davison: *End-to-End Multi-Task Learning with Attention*, CVPR 2019,
#   <https://arxiv.org/abs/1803.10704>: SegNet as single-task and Split baseline; the authors' code,
#   <https://github.com/lorenmt/mtan>, for filters, head and initialisation.
# * K. Simonyan, A. Zisserman: *Very Deep Convolutional Networks for Large-Scale Image Recognition*, ICLR
#   2015: VGG-16.
# * S. Ioffe, C. Szegedy: *Batch Normalization*, ICML 2015.
# * X. Glorot, Y. Bengio: *Understanding the difficulty of training deep feedforward neural networks*,
#   AISTATS 2010.
# * O. Ronneberger, P. Fischer, T. Brox: *U-Net*, MICCAI 2015. D. P. Kingma, J. Ba: *Adam*, ICLR 2015.
