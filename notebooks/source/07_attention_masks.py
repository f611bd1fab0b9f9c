# %% [markdown]
# # 07 · Attention masks: what does each task look at?
#
# {{chapter_badges}}
#
# In this chapter you take a trained MTAN apart: you build the tools that catch its masks, draw them as in the
# paper's figure 5, measure them, and test by intervention whether the network needs them.
#
# **After this chapter you can**
#
# * catch any tensor inside a network with a **forward hook**, and replace it;
# * draw masks so that the drawing does not deceive you;
# * define a claim about masks as a number, measure it, and compare it with an untrained network;
# * prove by ablation what a mask is good for, and say what a mask picture does *not* prove.
#
# **Time:** about 50 minutes of reading, {{exercise_minutes}} minutes of exercises, one minute of computing
# on a laptop or a T4.
#
# **You need from before:** MTAN and its attention module (chapter 04), the metrics (chapter 03). You train
# nothing here: the network comes with the course, trained by the loop of chapter 06.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Attention masks: what does each task look at?", minutes_cpu=1, minutes_gpu=1)

# %%
from collections import Counter
from contextlib import contextmanager

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import data, models, plots
from course_utils.exercises import check, compare, progress
from course_utils.labels import label_set
from course_utils.models.pretrained import card, pretrained
from course_utils.sliders import sliders

plt.rcParams.update(plots.STYLE)

torch.manual_seed(0)
model, todo = pretrained()  # in evaluation mode
names = [task.name for task in todo]
facts = card()
print(f"MTAN of width {facts['width']:g}, trained for {facts['epochs']} epochs on {facts['length']} frames")
for task in todo:
    print(f"{task.name:<13} {task.headline} {facts['metrics'][task.name][task.headline]:.3f}")

# %% [markdown]
# The network is small, so everything below runs on the CPU. We look at sixteen frames of the validation
# set, which it was not trained on.

# %%
val = data.load("synthcity", "val", size=(128, 256), classes=7, length=16)
batch = torch.utils.data.default_collate([val[index] for index in range(len(val))])
images = batch["image"]
for key in ("image", "segmentation", "depth"):
    print(f"{key:<13} {list(batch[key].shape)}")

# %% [markdown]
# ## 1. Catch a mask
#
# A network returns its predictions and forgets everything on the way there. To look inside we need a
# **forward hook**: a function that torch calls each time a module has computed its output. It is given the
# module, its inputs and its output.
#
# * If the hook returns nothing, the output goes on unchanged. So a hook can *look*.
# * If it returns a tensor, that tensor takes the output's place. So a hook can *intervene*.
#
# We try both on a sigmoid. Recall $\sigma(\ln 3) = 3/4$ and $\sigma(-\ln 3) = 1/4$.
#
# **Predict.** What do the three lines print?

# %%
sigmoid, caught = nn.Sigmoid(), []
logits = torch.tensor([3.0, 1 / 3]).log()

handle = sigmoid.register_forward_hook(lambda layer, inputs, output: caught.append(output))
print("a hook that looks:      ", sigmoid(logits), "caught", len(caught))
handle.remove()
handle = sigmoid.register_forward_hook(lambda layer, inputs, output: torch.ones_like(output))
print("a hook that intervenes: ", sigmoid(logits))
handle.remove()
print("both removed:           ", sigmoid(logits), "caught", len(caught))

# %% [markdown]
# (`append` returns None, so the first hook only looks.) A hook stays until it is removed. One that is
# forgotten goes on working in every later cell, and its traces are hard to find.
#
# ### Find the layer
#
# Now the real network. The mask of a task at a level is made by a part of its attention module: convolution,
# batch normalisation, sigmoid (chapter 04). Where is it? Every module of a network has a **path**, the names
# that lead to it, joined by dots. Here are those of the first attention module of the depth task.

# %%
for path, module in model.named_modules():
    if path.startswith("attention.depth.encoder.0"):
        print(f"{path:<34} {type(module).__name__}")
for side in ("encoder", "decoder"):
    modules = getattr(model.attention["depth"], side)
    channels_there = [module.mask[1].num_features for module in modules]
    print(f"attention.depth.{side} is a {type(modules).__name__} with masks of {channels_there} channels")

# %% [markdown]
# {{exercise 07.mask_layer}}
#
# Write a function that finds the part of the network whose output is the mask: convolution, normalisation
# and sigmoid together. It gets the network, the name of a task and the name of a level. The levels are
# called `"encoder1"` to `"encoder5"` on the way down and `"decoder5"` to `"decoder1"` on the way up; level 1
# is the one at the size of the image, with the fewest channels.
#
# <details><summary>Stuck?</summary>
#
# A path such as `attention.depth.encoder.0` reads in Python as `network.attention["depth"].encoder[0]`:
# the tasks lie in a dict of modules, the levels in a list. `getattr(thing, "encoder")` is `thing.encoder`.
# The solution is in [the solutions edition](solutions/07_attention_masks.ipynb).
#
# </details>


# %%
def mask_layer(network, task_name, level):
    """The module whose output is the task's mask at this level, such as "encoder1" or "decoder5"."""
    ### BEGIN SOLUTION
    side, number = level[:-1], int(level[-1])
    return getattr(network.attention[task_name], side)[number - 1].mask
    ### END SOLUTION


# %%
mask_layer = check("07.mask_layer", mask_layer)

# %% [markdown]
# {{exercise 07.catch}}
#
# Now catch. The function gets a network, images and `layers`, a dict that maps a name of your choice to a
# layer of the network. It runs the network **once** and returns a dict with the same names: what each layer
# computed in this pass. Four things to mind:
#
# * The hooks are **removed** before the function ends, yours and no others, **also when the pass raises an
#   error**. The error itself goes on to whoever called.
# * The hooks only look. The network computes what it always does, in the mode in which it is.
# * What you return is **detached**: it does not hold on to the graph that autograd builds.
# * It is a **copy**. Some layers overwrite their input: `nn.ReLU(inplace=True)`, which our network uses,
#   saves memory in this way. A tensor that you keep by reference would change after you have caught it.
#
# Each layer is called once in a pass.
#
# <details><summary>Stuck?</summary>
#
# What stands under `finally:` runs in any case, with or without an error under `try:`.
#
# Beware of functions that are made in a loop. `lambda *_: print(name)` looks up `name` when it is *called*,
# and by then the loop has ended: all of them print the last name. Write a function that gets the name and
# returns the hook; each call of it has a `name` of its own.
#
# The solution is in [the solutions edition](solutions/07_attention_masks.ipynb).
#
# </details>


# %%
def catch(network, layers, images):
    """Run network(images) once; `layers` is {name: layer}, the result {name: output of that layer}."""
    ### BEGIN SOLUTION
    found = {}

    def hook_for(name):
        def hook(layer, inputs, output):
            found[name] = output.detach().clone()

        return hook

    handles = []
    try:
        for name, layer in layers.items():
            handles.append(layer.register_forward_hook(hook_for(name)))
        with torch.no_grad():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found
    ### END SOLUTION


# %%
catch = check("07.catch", catch)

# %%
first_layers = {name: mask_layer(model, name, "encoder1") for name in names}
caught_masks = catch(model, first_layers, images[:1])
print("layers:", ", ".join(type(layer).__name__ for layer in first_layers["depth"]))
for name, mask in caught_masks.items():
    print(f"caught from {name:<13} {list(mask.shape)}, from {mask.min():.2f} to {mask.max():.2f}")

# %% [markdown]
# One frame, eight channels, one value for each pixel: the masks of both tasks at encoder level 1.
#
# `try` and `finally` in every function that uses a hook would be tedious. A **context manager** writes it
# once and for all: the hooks hold inside its `with` block and are removed at the end, even after an error.
# Several later cells use this one.


# %%
@contextmanager
def hooked(hooks):
    """Inside the `with` block each layer has its forward hook; `hooks` is a list of (layer, hook)."""
    handles = [layer.register_forward_hook(hook) for layer, hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# %% [markdown]
# ### How often does each part run?
#
# Hooks can count. MTAN has two tasks and one shared network.
#
# **Predict.** In one forward pass, how often is each of these called: the first convolution of the shared
# encoder; the first transform $f$, which both tasks share; the first mask of the depth task? And the module
# `model.encoder` as a whole? Write your number for the last one into the first line.

# %%
### BEGIN SOLUTION
guess = 0
### END SOLUTION
calls = Counter()
parts = {
    "first convolution of the encoder": model.encoder.blocks[0][0],
    "first f": model.transforms.encoder[0],
    "first mask of depth": mask_layer(model, "depth", "encoder1"),
    "model.encoder as a whole": model.encoder,
}


def count(part):
    return lambda layer, inputs, output: calls.update([part])


with torch.no_grad(), hooked([(layer, count(part)) for part, layer in parts.items()]):
    model(images[:1])
for part in list(parts)[:3]:
    print(f"{part:<34} {calls[part]}")
compare("07.encoder_calls", guess, calls["model.encoder as a whole"])

# %% [markdown]
# The shared network runs once for both tasks. $f$ runs twice: its weights are shared, its input is each
# task's own. The mask of one task runs once. The last one is a trap that costs hours: `model.encoder` is
# never *called*. MTAN walks through its blocks by itself, because it needs $u$ after the first convolution
# of each block. **A hook on a module that is not called as a whole stays silent.** Count before you trust.
#
# ### All masks in one pass
#
# Because masks are looked at so often, our MTAN hands them out itself: `return_attention=True`.

# %%
with torch.no_grad():
    predictions, attention = model(images, return_attention=True)
levels = list(attention["depth"])
print("tasks: ", list(attention))
print("levels:", ", ".join(levels))
print("each:  ", attention["depth"]["encoder1"]._fields)
for name in names:
    first_mask = attention[name]["encoder1"].mask[:1]
    print(f"{name:<13} same as caught:", torch.allclose(caught_masks[name], first_mask, atol=1e-5))

# %% [markdown]
# For each task and level we get three tensors: the shared feature $p$, the mask $a$ and the attended
# feature $\hat a = a \odot p$.
#
# **Predict.** How many masks (channels, over all ten levels) does one task draw for one frame? The levels
# of the encoder have 8, 16, 32, 64, 64 channels, those of the decoder, deepest first, 64, 32, 16, 8, 8.

# %%
masks_of_a_task = 0
print("level      mask [B, C, h, w]     p is shared  a * p is right  all in 0..1")
for level in levels:
    one, other = attention["segmentation"][level], attention["depth"][level]
    right = torch.equal(one.attended, one.mask * one.shared)
    inside = bool((one.mask >= 0).all() and (one.mask <= 1).all())
    same = one.shared is other.shared
    print(f"{level}   {list(one.mask.shape)!s:<20}  {same!s:<11}  {right!s:<14}  {inside}")
    masks_of_a_task += one.mask.shape[1]
print("masks of one task for one frame:", masks_of_a_task)

# %% [markdown]
# 312 masks for each task, and eight times as many at full width. Nobody can look at all of them. Whoever
# shows you three has *chosen* three. So in this chapter a channel is chosen by a rule that is written down,
# and what we say of "the masks" is a number over all of them.

# %% [markdown]
# ## 2. Draw a mask
#
# ### A drawing can lie
#
# Here is a mask that does almost nothing: its values go from 0.50 to 0.53.
#
# **Predict.** What does `imshow` draw if you leave its colour scale to itself?

# %%
flat = 0.5 + 0.01 * torch.tensor([[0.0, 1.0, 2.0, 3.0]]).expand(4, 4)
figure, axes = plt.subplots(1, 2, figsize=(6, 2.6), layout="constrained")
for axis, title, scale in zip(axes, ("own scale", "scale 0 to 1"), ({}, {"vmin": 0, "vmax": 1}), strict=True):
    drawn = axis.imshow(flat, cmap="viridis", **scale)
    axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(drawn, ax=axis, label="mask a")
figure.supxlabel("a made-up mask of 4 x 4 pixels", fontsize=9, color="0.35")
plots.show(
    figure,
    "The same flat mask drawn twice. On its own colour scale it shows four bands from dark blue to yellow; "
    "on the scale 0 to 1 it is one even green.",
)
print(f"smallest value {flat.min():.2f}, largest {flat.max():.2f}")

# %% [markdown]
# On its own scale every mask looks full of contrast, because the drawing stretches whatever is there. So:
#
# 1. **A mask is drawn on the scale 0 to 1**, always. Then masks of different tasks can be compared by eye.
# 2. **Shared and attended feature share one scale**, so that what a mask dims is darker than in $p$.
# 3. The white of that scale is the 99th percentile of $p$, not its maximum: one bright pixel would darken
#    all the rest.
#
# ### Which channels?
#
# We want to see where the two tasks disagree. The rule: the channels in which the two masks differ most, on
# average over all pixels of all frames. Channels whose $p$ is 0 nearly everywhere are left out: there is
# nothing to attend to.


# %%
def most_different(level, count):
    """The channels whose two masks differ most, of those with p > 0 in 1 % of the pixels; all differences."""
    one, other = attention["segmentation"][level], attention["depth"][level]
    difference = (one.mask - other.mask).abs().mean(dim=(0, 2, 3))
    alive = (one.shared > 0).float().mean(dim=(0, 2, 3)) > 0.01
    return difference.masked_fill(~alive, -1).argsort(descending=True)[:count].tolist(), difference


channels, difference = most_different("encoder1", 2)
print("mean difference of the masks, by channel:", [f"{value:.2f}" for value in difference.tolist()])
print("chosen:", channels)

# %% [markdown]
# ### One row by hand
#
# Now the picture itself, for one channel of one frame: the image, the shared feature $p$, and for each task
# its mask $a$ and what is left, $\hat a = a \odot p$.


# %%
def draw_row(axes, level, channel, frame):
    shared = attention["segmentation"][level].shared[frame, channel]
    feature_scale = {"cmap": "gray", "vmin": 0, "vmax": shared.quantile(0.99).item()}
    panels = [("shared p", shared, feature_scale)]
    for name in names:
        seen = attention[name][level]
        mask_scale = {"cmap": "viridis", "vmin": 0, "vmax": 1}
        panels.append((f"{name}: mask a", seen.mask[frame, channel], mask_scale))
        panels.append((f"{name}: a * p", seen.attended[frame, channel], feature_scale))
    for axis, (title, picture, scale) in zip(axes, panels, strict=True):
        axis.imshow(picture, **scale)
        axis.set_title(title)


figure, axes = plt.subplots(2, 3, figsize=(6.4, 2.7), layout="constrained")
axes[0, 0].imshow(images[0].permute(1, 2, 0))
axes[0, 0].set_title("image")
draw_row([axes[1, 0], axes[0, 1], axes[1, 1], axes[0, 2], axes[1, 2]], "encoder1", channels[0], frame=0)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
figure.supxlabel(f"encoder1, channel {channels[0]}. {val.source}", fontsize=9, color="0.35")
plots.show(
    figure,
    "Six pictures of one street frame: the image, one shared feature, and for segmentation and for depth the "
    "mask of that feature, coloured from 0 dark to 1 yellow, above the feature after masking.",
)
for name in names:
    mask = attention[name]["encoder1"].mask[0, channels[0]]
    print(f"{name:<13} mask from {mask.min():.2f} to {mask.max():.2f}, mean {mask.mean():.2f}")

# %% [markdown]
# How to read it. Take a bright place of $p$ and look at the same place in each mask. Yellow: the feature
# passes. Dark blue: the task shuts it off, and the place is black in its attended feature although $p$ is
# bright. Where $p$ is black the mask can be anything; it changes nothing.
#
# ### Figure 5
#
# `plots.masks` draws such a row for several channels. It is the same picture; we check that its second
# panel holds our mask on our scale.

# %%
figure = plots.masks(attention, "encoder1", channels=channels, source=val.source)
panel = figure.axes[1].images[0]
ours = attention["segmentation"]["encoder1"].mask[0, channels[0]]
print("the same mask: ", bool((panel.get_array() == ours.numpy()).all()))
print("the same scale:", panel.get_clim())
plots.show(
    figure,
    "Two rows, one for each chosen channel of encoder1. Columns: the shared feature, then for segmentation "
    "and for depth the mask on a scale from 0 to 1 and the attended feature.",
)

# %% [markdown]
# This is the paper's figure 5, on our own street. There the authors write of two things that they see:
#
# * the masks of the two tasks differ clearly, and each masks out what its task does not need;
# * the masks of **depth** have a **much higher contrast** than those of segmentation. They conclude that
#   segmentation can use nearly all shared features, and that depth gains more from picking its own.
#
# Both are statements about a picture of a few channels. Look at your figure before you go on.
#
# **Predict.** Write down: which task's masks have the higher contrast in the figure above? Are you sure
# enough to bet on the other channels and the other nine levels?
#
# ### Any other channel
#
# A figure shows the channels that its author chose. Choose yourself: task, level and channel, of the same
# frame. Here is one of them, and under it the same with two menus and a slider. (Every level has at least
# eight channels; the slider goes through the first eight.)


# %%
def draw_mask(task="depth", level="encoder3", channel=0):
    """The image and one mask of it, drawn by the rules above; the forward pass is done already."""
    mask = attention[task][level].mask[0, channel]
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.6, 1.6), layout="constrained")
    left.imshow(images[0].permute(1, 2, 0))
    left.set_title("image", fontsize=9)
    drawn = right.imshow(mask, cmap="viridis", vmin=0, vmax=1, extent=(0, 256, 128, 0))
    right.set_title(f"{task}, {level}, channel {channel}", fontsize=9)
    figure.colorbar(drawn, ax=right, label="mask a")
    for axis in (left, right):
        axis.set(xticks=[], yticks=[])
    figure.supxlabel(val.source, fontsize=7, color="0.35")
    plots.show(
        figure, f"A street, and beside it the mask of {task} at {level}, channel {channel}, from 0 dark to 1 yellow."
    )
    height, width = mask.shape
    print(f"{height} x {width} pixels, from {mask.min():.2f} to {mask.max():.2f}, mean {mask.mean():.2f}")


draw_mask()

# %%
sliders(draw_mask, task=names, level=levels, channel=(0, 7, 1))

# %% [markdown]
# If you can move it, go from encoder1 to encoder5 and back up to decoder1. The masks become coarser, because
# each level halves height and width, and what they follow changes: edges and colours at encoder1, whole
# areas at the deep levels, and both at the end.

# %% [markdown]
# ## 3. Contrast, as a number
#
# "Contrast" needs a definition, or it cannot be wrong. We take the **standard deviation over the pixels** of
# a mask, averaged over channels and frames. For the mask $a_c$ of channel $c$ with $h \times w$ pixels:
#
# $$\text{contrast}(a) = \frac{1}{C} \sum_{c=1}^{C}
#   \sqrt{\frac{1}{hw} \sum_{x, y} \left( a_{c}(x, y) - \bar a_{c} \right)^2}, \qquad
#   \bar a_{c} = \frac{1}{hw} \sum_{x, y} a_{c}(x, y) .$$
#
# It is 0 for a mask that is the same everywhere and 0.5, its largest value, for one that is 0 in half of the
# pixels and 1 in the other half. Beside it we count how much of the masks is nearly **shut** ($a < 0.1$) and
# nearly **open** ($a > 0.9$).

# %% [markdown]
# {{exercise 07.contrast}}
#
# Write the equation as a function. It gets the masks of a level, [B, C, h, w], and returns one number: the
# contrast of each channel in each frame by itself, then the mean over channels and frames. A mask that is the
# same everywhere has contrast 0. Mind by what the equation divides.


# %%
def contrast(mask):
    """Masks [B, C, h, w] -> standard deviation over pixels, mean over channels and frames, a number."""
    ### BEGIN SOLUTION
    return mask.std(dim=(2, 3), correction=0).mean().item()
    ### END SOLUTION


# %%
contrast = check("07.contrast", contrast)

# %% [markdown]
# **Predict.** By hand, for these three masks of 2 × 2 pixels:
#
# $$\begin{pmatrix} 0.95 & 0.05 \\ 0.05 & 0.95 \end{pmatrix}, \qquad
#   \begin{pmatrix} 0.6 & 0.4 \\ 0.4 & 0.6 \end{pmatrix}, \qquad
#   \begin{pmatrix} 0.95 & 0.95 \\ 0.95 & 0.95 \end{pmatrix} .$$


# %%
def rounded(number):
    return round(float(number), 2) + 0.0  # + 0.0 turns -0.0 into 0.0


def shut_and_open(mask):
    """The shares of values below 0.1 and above 0.9."""
    return (mask < 0.1).float().mean().item(), (mask > 0.9).float().mean().item()


sharp = torch.tensor([[[[0.95, 0.05], [0.05, 0.95]]]])
soft = torch.tensor([[[[0.6, 0.4], [0.4, 0.6]]]])
always = torch.full((1, 1, 2, 2), 0.95)
for name, mask in {"sharp": sharp, "soft": soft, "always open": always}.items():
    shut, opened = shut_and_open(mask)
    print(f"{name:<12} contrast {contrast(mask):.2f}  shut {shut:.2f}  open {opened:.2f}")

# %% [markdown]
# Every value of the first lies 0.45 from the mean 0.5, so the deviation is 0.45. The second has the same
# pattern with a deviation of 0.1. The third has none at all, and the highest mean of the three. **Contrast
# and openness are two different things.**
#
# ### What is nothing?
#
# A number needs something to compare with. Chapter 04 showed that masks of an *untrained* network show the
# scene and differ between tasks too. So we measure a fresh network of the same size beside the trained one.
# Its batch normalisation must use the statistics of the batch (training mode), because its running
# statistics have not seen a picture yet. We copy nothing and train nothing; `no_grad` leaves the weights
# alone.

# %%
torch.manual_seed(0)
fresh = models.build("mtan", todo, width=facts["width"]).train()
with torch.no_grad():
    _, fresh_attention = fresh(images, return_attention=True)
fresh_masks = {name: [fresh_attention[name][level].mask for level in levels] for name in names}
for name in names:
    print(f"{name:<13} untrained, encoder1: contrast {contrast(fresh_masks[name][0]):.2f}")

# %% [markdown]
# About 0.2, as chapter 04 computed: the normalisation before the sigmoid gives each channel a spread of 1,
# and the sigmoid's slope is 0.25 at most.
#
# **Predict.** At encoder1, how many times as high as segmentation's is depth's contrast, in the trained
# network, over all eight channels and sixteen frames? Think of your impression of the figures, and of what
# the paper says. A ratio below 1 means that segmentation's is the higher one.

# %%
### BEGIN SOLUTION
guess = 1.0
### END SOLUTION
measured = {name: {level: float(contrast(attention[name][level].mask)) for level in levels} for name in names}
untrained = {name: [float(contrast(mask)) for mask in fresh_masks[name]] for name in names}
compare("07.contrast_ratio", guess, measured["depth"]["encoder1"] / measured["segmentation"]["encoder1"])

# %% [markdown]
# Now all levels.
#
# **Predict.** Did training make the contrast higher or lower than in the untrained network? At the first
# level, and at the last?

# %%
print("            segmentation          depth")
print("level       contr.  shut  open    contr.  shut  open    contrast, depth / segmentation")
for level in levels:
    row = []
    for name in names:
        shut, opened = shut_and_open(attention[name][level].mask)
        row.append(f"{measured[name][level]:.3f}  {shut:.2f}  {opened:.2f}")
    ratio = measured["depth"][level] / measured["segmentation"][level]
    print(f"{level}    {row[0]}    {row[1]}    {ratio:.2f}")

# %%
figure, axis = plt.subplots(figsize=(8, 3.3), layout="constrained")
for task in todo:
    colour = plots.task_colour(task)
    axis.plot(levels, list(measured[task.name].values()), "o-", color=colour, label=f"{task.name}, trained")
    axis.plot(levels, untrained[task.name], ":", color=colour, label=f"{task.name}, untrained")
axis.set(xlabel="level", ylabel="contrast of the masks", ylim=(0, None))
axis.tick_params(axis="x", rotation=30)
axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
figure.supxlabel(val.source, fontsize=9, color="0.35")
plots.show(
    figure,
    "Contrast of the masks at the ten levels, from encoder1 to decoder1: a solid line for each task of the "
    "trained network, a dotted line for each task of an untrained one at about 0.2.",
)
for name in names:
    above = sum(value > start for value, start in zip(measured[name].values(), untrained[name], strict=True))
    print(f"{name}: training raised the contrast at {above} of {len(levels)} levels")

# %% [markdown]
# ### Does the paper's claim hold here?
#
# The claim is about the first level: depth's contrast is *much* higher than segmentation's. We make "much"
# a number before we look, so that we cannot bend it afterwards: **at least 1.5 times**. And we ask each of
# the sixteen frames separately, so that two or three strange frames cannot decide.

# %% tags=["reached"]
def by_frame(name, level):
    """The contrast in each frame."""
    return attention[name][level].mask.std(dim=(2, 3), correction=0).mean(dim=1)


ratio = measured["depth"]["encoder1"] / measured["segmentation"]["encoder1"]
frames = int((by_frame("depth", "encoder1") > by_frame("segmentation", "encoder1")).sum())
higher = sum(measured["depth"][level] > measured["segmentation"][level] for level in levels)
print(f"encoder1: depth's contrast is {ratio:.2f} times segmentation's")
print(f"encoder1: depth's is the higher one in {frames} of {len(images)} frames")
print(f"all levels: depth's is the higher one at {higher} of {len(levels)}")
print("the paper's claim, at least 1.5 times, holds here:", ratio >= 1.5)
print("mask contrast: " + ", ".join(f"{name} {measured[name]['encoder1']:.2f}" for name in names))

# %% [markdown]
# How to read the lines above:
#
# | the ratio at encoder1 | what it says of this network |
# |---|---|
# | 1.5 or more, in nearly all frames | the paper's observation is seen here too |
# | between about 0.8 and 1.25 | no difference that could carry a conclusion |
# | clearly above 1, but below 1.5 | the same direction, weaker than "much higher" |
# | below about 0.8, in nearly all frames | the opposite of the observation |
#
# Our network falls into the second row: the two contrasts are nearly equal, and which one is higher changes
# from frame to frame and from level to level. **The paper's observation does not appear in this network.**
#
# In no case is the claim proved or refuted *in general*. We have one network of an eighth of the width, one
# seed, and drawn streets. The paper has one network, one level, a few channels, and gives no number. To
# settle it one would train several networks with different seeds, and see whether the ratio is on the same
# side of 1 in all of them.
#
# And the paper's *conclusion* needs more than contrast. That segmentation "can use all features" is a
# statement about what happens without the masks. Section 5 tests that.
#
# ### Where contrast comes from
#
# The last layers of a mask are batch normalisation and sigmoid: $a = \sigma(\gamma z + \beta)$, where $z$
# has mean 0 and spread 1 over the training frames. So to first order the mask of a channel has
#
# $$\text{height} \approx \sigma(\beta), \qquad \text{contrast} \approx |\gamma| \,\sigma'(\beta)
#   = |\gamma| \,\sigma(\beta) \left( 1 - \sigma(\beta) \right) .$$
#
# Two learned numbers for each channel, whatever the picture. Where $\gamma$ is large the sigmoid flattens,
# and the second formula says too much. So we let the computer put a thousand values of a bell curve through
# the sigmoid and take their mean and spread.
#
# **Predict.** How well do $\gamma$ and $\beta$ alone foretell height and contrast on our sixteen frames?

# %%
bell = torch.special.ndtri((torch.arange(1000) + 0.5) / 1000)  # 1000 values, mean 0, spread 1
for name in names:
    foretold, found = [], []
    for level in levels:
        _, normalisation, _ = mask_layer(model, name, level)
        gamma, beta = normalisation.weight.detach(), normalisation.bias.detach()
        curve, mask = torch.sigmoid(gamma * bell[:, None] + beta), attention[name][level].mask
        foretold.append(torch.stack([curve.mean(dim=0), curve.std(dim=0)]))
        found.append(torch.stack([mask.mean(dim=(0, 2, 3)), mask.std(dim=(0, 2, 3))]))
    foretold, found = torch.cat(foretold, dim=1), torch.cat(found, dim=1)
    for place, what in enumerate(("height", "contrast")):
        means = f"mean foretold {foretold[place].mean():.2f}, found {found[place].mean():.2f}"
        r = rounded(torch.corrcoef(torch.stack([foretold[place], found[place]]))[0, 1])
        print(f"{name:<13} {what:<9} {means}, correlation over {len(found[0])} channels {r:.2f}")

# %% [markdown]
# The closer a correlation is to 1, the more of it is a fixed property of the channel, the same on every
# picture. The rest, and all of the *pattern*, comes from $z$. (Here the spread is taken over the pixels of
# all frames together, because $z$ was normalised over all of them.)
#
# **To think through (5 minutes).** A mask only acts where $p$ is not 0. Measure the contrast over those
# pixels alone, at encoder1. Does the order of the two tasks change?
#
# <details><summary>One answer</summary>
#
# ```python
# for name in names:
#     shared, mask, _ = attention[name]["encoder1"]
#     alive = shared > 0
#     spread = torch.stack([mask[:, c][alive[:, c]].std(correction=0)
#                           for c in range(mask.shape[1]) if alive[:, c].any()])
#     print(name, f"{spread.mean():.3f}")
# ```
#
# This pools the pixels of all frames, so it is a little higher than the number in the table. Compare the two
# tasks with each other, not with the table.
#
# </details>

# %% [markdown]
# ## 4. Masks as feature selectors
#
# The paper calls masks **feature selectors**. With two tasks, a shared feature can be used by both, by one,
# or by none. Two questions, for each channel: do the tasks look at the same *places*? And how far does each
# open the channel *at all*?
#
# ### The same places? Correlation
#
# The **correlation** of two masks compares their patterns and ignores height and contrast:
#
# $$r = \frac{\sum (a_1 - \bar a_1)(a_2 - \bar a_2)}
#   {\sqrt{\sum (a_1 - \bar a_1)^2 \, \sum (a_2 - \bar a_2)^2}}, \qquad -1 \le r \le 1 .$$

# %% [markdown]
# {{exercise 07.correlations}}
#
# The function gets the masks of two tasks at a level, both [B, C, h, w], and returns [C]: for each channel
# the correlation, with the sums over **all pixels of all frames** together. So the two means of a channel
# are over frames and pixels too. One corner: a mask that is the same everywhere has no pattern, and the
# equation says 0 / 0. Count its correlation as 0.
#
# <details><summary>Stuck?</summary>
#
# It is easier if each channel is one long row: [C, B·h·w]. `reshape` alone does not get you there, because it
# keeps the order in which the numbers lie in memory, and there the frames come first. The solution is in
# [the solutions edition](solutions/07_attention_masks.ipynb).
#
# </details>


# %%
def correlations(first, second):
    """Masks [B, C, h, w] of two tasks -> [C]: the correlation over all pixels of all frames."""
    ### BEGIN SOLUTION
    first, second = (mask.transpose(0, 1).flatten(1) for mask in (first, second))
    first, second = (values - values.mean(dim=1, keepdim=True) for values in (first, second))
    return F.cosine_similarity(first, second, dim=1)  # it never divides by less than 1e-8
    ### END SOLUTION


# %%
correlations = check("07.correlations", correlations)

# %% [markdown]
# **Predict.** What is $r$ between the masks *sharp* and *soft* of section 3? Between *sharp* and
# $1 - $ *sharp*?

# %%
print(f"sharp and soft:      {correlations(sharp, soft).item():5.2f}")
print(f"sharp and 1 - sharp: {correlations(sharp, 1 - sharp).item():5.2f}")
one, other = (attention[name]["encoder1"].mask for name in names)
by_torch = torch.corrcoef(torch.stack([one[:, 0].flatten(), other[:, 0].flatten()]))[0, 1]
print("same as torch.corrcoef:", torch.allclose(correlations(one, other)[0], by_torch, atol=1e-4))

# %% [markdown]
# 1 although the contrasts are 0.45 and 0.1, and $-1$ for the opposite pattern. Now all channels of all
# levels, with the untrained network in grey.

# %%
figure, axis = plt.subplots(figsize=(8, 3.3), layout="constrained")
print("median correlation of the two tasks' masks")
for place, level in enumerate(levels):
    r = correlations(*(attention[name][level].mask for name in names))
    r_fresh = correlations(*(fresh_masks[name][place] for name in names))
    axis.plot([place - 0.15] * len(r), r_fresh, "_", color="0.65")
    axis.plot([place + 0.15] * len(r), r, "_", color="black")
    medians = f"trained {rounded(r.median()):5.2f}  untrained {rounded(r_fresh.median()):5.2f}"
    print(f"{level}  {medians}  below 0: {(r < 0).sum()} of {len(r)} trained")
axis.axhline(0, color="0.5", linewidth=0.8)
axis.set(xticks=range(len(levels)), ylabel="correlation of the two masks", ylim=(-1.05, 1.05))
axis.set_xticklabels(levels, rotation=30)
keys = axis.lines[:2], ["untrained", "trained"]
axis.legend(*keys, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
figure.supxlabel(val.source, fontsize=9, color="0.35")
plots.show(
    figure,
    "For each of the ten levels two columns of short strokes between -1 and 1, one stroke for each channel: "
    "grey for the untrained network, spread around 0, black for the trained one.",
)

# %% [markdown]
# The grey strokes are chance: two random functions of the same feature are correlated now and then, one way
# or the other. If the black ones lay above, the tasks would have agreed on places; below zero, they would
# divide the picture between them. At nine of the ten levels they lie where the grey ones lie: training has
# neither brought the two tasks to look at the same places nor pushed them apart. Each went its own way.
#
# The last level is the exception. At decoder1 seven of the eight correlations are negative: where one task
# opens a feature, the other tends to shut it. Eight channels of one network are few, so take this as a
# question for the next network and not as a result.
#
# ### How far is a channel open?
#
# Now one dot for each channel: across, the mean mask of segmentation; up, that of depth.
#
# **Predict.** Where do all dots of the untrained network lie?

# %%
figure, axes = plt.subplots(1, 4, figsize=(9.8, 3.1), layout="constrained", sharex=True, sharey=True)
for axis, level in zip(axes, ("encoder1", "encoder3", "decoder3", "decoder1"), strict=True):
    starts = [fresh_masks[name][levels.index(level)].mean(dim=(0, 2, 3)) for name in names]
    heights = [attention[name][level].mask.mean(dim=(0, 2, 3)) for name in names]
    axis.plot(*starts, ".", color="0.65", label="untrained")
    axis.plot(*heights, "o", color="black", markersize=4, fillstyle="none", label="trained")
    axis.axhline(0.5, color="0.8", linewidth=0.8)
    axis.axvline(0.5, color="0.8", linewidth=0.8)
    axis.set(title=level, xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="mean mask,\nsegmentation")
    together = rounded(torch.corrcoef(torch.stack(heights))[0, 1])
    print(f"{level}: {len(heights[0])} channels, correlation of the two tasks' heights {together:.2f}")
axes[0].set_ylabel("mean mask, depth")
axes[-1].legend(frameon=False, loc="lower left", fontsize=8)
figure.supxlabel(val.source, fontsize=9, color="0.35")
plots.show(
    figure,
    "Four scatter plots, for encoder1, encoder3, decoder3 and decoder1: mean mask of depth against mean mask "
    "of segmentation, one circle for each channel. The grey dots of the untrained network sit at the centre.",
)

# %% [markdown]
# Untrained, all dots lie close to $(0.5, 0.5)$, since $\beta = 0$. Every distance from the centre has been
# learned. Upper right: open for both. Lower right: segmentation's. Upper left: depth's. Lower left: hardly
# open for either. The lines at 0.5 cut the channels of every level into these four groups:

# %%
rows = {}
for level in levels:
    one, other = (attention[name][level].mask.mean(dim=(0, 2, 3)) > 0.5 for name in names)
    rows[level] = torch.stack([one & other, one & ~other, ~one & other, ~one & ~other]).sum(dim=1)
rows["all levels"] = sum(rows.values())
print("             both  only segmentation  only depth  neither")
for level, (both, only_one, only_other, neither) in rows.items():
    print(f"{level:<11}  {both:>4}  {only_one:>17}  {only_other:>10}  {neither:>7}")

# %% [markdown]
# If the two tasks opened channels by chance, each with probability one half, a quarter of the channels would
# fall into each of the four groups. Many in "both" and "neither" would mean that the tasks agree on what is
# useful; many in the two middle groups, that they have divided the features between them. The last row is
# not far from that, with fewer in "both" and more in "neither"; the two middle groups hold about half of all
# channels. Again, hardly agreement and hardly division.
#
# The line at 0.5 is a convention, no more. Section 7 shows why a mask of 0.4 need not mean "not used".
#
# ### Places or channels?
#
# A mask may select *channels*: open here, shut there, the same for all pixels. Or *places*: within one
# channel open on the road and shut in the sky. How much of each do our masks do? A variance can be split
# into just these two parts. Let $a_{ci}$ be the value of channel $c$ at one of the $N = B \cdot h \cdot w$
# pixels of all frames, $\bar a_c$ the mean of the channel and $\bar a$ the mean of everything. Then
#
# $$\frac{1}{CN} \sum_{c, i} (a_{ci} - \bar a)^2
#   = \frac{1}{C} \sum_{c} (\bar a_c - \bar a)^2
#   + \frac{1}{CN} \sum_{c, i} (a_{ci} - \bar a_c)^2 .$$
#
# On the left the variance of everything; on the right the variance **between** the channels, and that
# **within** them. By hand, with two channels of two pixels, $(0.2, 0.4)$ and $(0.6, 0.8)$: the means are 0.3
# and 0.7, and 0.5 over all. Between: $0.2^2 = 0.04$. Within: $0.1^2 = 0.01$. So 0.8 of the variance lies
# between.

# %% [markdown]
# {{exercise 07.share_between}}
#
# The function gets the masks of a level, [B, C, h, w], and returns one number from 0 to 1: the variance
# between the channels as a share of the variance of everything, as in the equation. For a mask that is the
# same everywhere there is nothing to share; return 0.


# %%
def share_between(mask):
    """Masks [B, C, h, w] -> the share of their variance that lies between the channels, a number."""
    ### BEGIN SOLUTION
    between = mask.mean(dim=(0, 2, 3)).var(correction=0)
    everything = mask.var(correction=0)
    return (between / everything).item() if everything > 0 else 0.0
    ### END SOLUTION


# %%
share_between = check("07.share_between", share_between)

# %%
by_hand = torch.tensor([[0.2, 0.4], [0.6, 0.8]]).reshape(1, 2, 1, 2)
print(f"by hand 0.80, here {float(share_between(by_hand)):.2f}")

# %% [markdown]
# **Predict.** In our trained network, how many per cent of the variance of a level's masks lie between the
# channels, on average over the ten levels and both tasks? The scatter plots above show the means of the
# channels, the table of section 3 the spread within them.

# %%
### BEGIN SOLUTION
guess = 3
### END SOLUTION
shares = {(name, level): float(share_between(attention[name][level].mask)) for name in names for level in levels}
compare("07.share_in_the_network", guess, 100 * sum(shares.values()) / len(shares))

# %%
most = max(shares, key=shares.get)
print(f"the largest share of all levels: {shares[most]:.2f}, of {most[0]} at {most[1]}")

# %% [markdown]
# A paper that calls the masks feature selectors makes one think of channels. By variance, these masks hardly
# select channels at all; nearly everything they do happens within a channel, from place to place. But
# variance is still a way of looking. The next section takes each of the two away and counts the harm.

# %% [markdown]
# ## 5. Ablation: does the network need them?
#
# So far we have *looked*. Looking cannot tell whether the predictions depend on what we saw. For that we
# **intervene**: take something away, and measure the harm. This is called **ablation**.
#
# The hook of section 1 can put any tensor in the place of a mask. We use three:
#
# | in place of the mask | what is lost |
# |---|---|
# | its mean over pixels and frames, channel by channel | *where*: the mask no longer depends on the picture |
# | its mean over everything, one number | *where* and *which channels* |
# | the other task's mask | *whose*: it is a real mask, of this picture and this channel |
#
# And the mask 1 everywhere? That takes away the mask as well, but it also doubles the strength of the
# feature, when masks are around 0.5. The next layers have never seen such strong features, and that alone
# can do harm. **A fair ablation keeps everything else as it was**, here the mean of the mask. We run the mask
# of ones too, to see the difference.

# %% [markdown]
# {{exercise 07.mean_of_each_channel}}
#
# The first row of the table. The function gets masks [B, C, h, w] and returns a tensor of the same shape in
# which every value is the mean of its channel, over the pixels of all frames. The masks that it is given
# stay as they are.


# %%
def mean_of_each_channel(mask):
    """Masks [B, C, h, w] -> the same shape, without any pattern."""
    ### BEGIN SOLUTION
    return mask.mean(dim=(0, 2, 3), keepdim=True).expand_as(mask)
    ### END SOLUTION


# %%
mean_of_each_channel = check("07.mean_of_each_channel", mean_of_each_channel)

# %% [markdown]
# All five by hand, on 2 × 2 pixels with $p = \begin{pmatrix} 2 & 0 \\ 0 & 4 \end{pmatrix}$ and the mask
# *sharp*:

# %%
p = torch.tensor([[[[2.0, 0.0], [0.0, 4.0]]]])
changes = {
    "intact": lambda mask, other: mask,
    "mean of each channel": lambda mask, other: mean_of_each_channel(mask),
    "mean of everything": lambda mask, other: mask.mean().expand_as(mask),
    "the other task's": lambda mask, other: other,
    "ones": lambda mask, other: torch.ones_like(mask),
}
for kind, change in changes.items():
    attended = change(sharp, 1 - sharp) * p
    print(f"{kind:<21} attended {[f'{value:.1f}' for value in attended.flatten().tolist()]}")

# %% [markdown]
# {{exercise 07.intervene}}
#
# Now the tool that puts a change into a network. `run` is a function without arguments that runs it, such as
# `lambda: model(images)`. `changes` is a list of pairs (layer, change); a change is a function that gets the
# layer's output and returns what shall take its place. The result is what `run()` returns, with all changes
# in force. It runs once, and afterwards the network is as it was, also when `run()` raises an error. The
# context manager `hooked` of section 1 may help.


# %%
def intervene(run, changes):
    """run() while each layer's output is replaced by change(output); `changes` is a list of (layer, change)."""
    ### BEGIN SOLUTION
    def hook_for(change):
        return lambda layer, inputs, output: change(output)

    with hooked([(layer, hook_for(change)) for layer, change in changes]):
        return run()
    ### END SOLUTION


# %%
intervene = check("07.intervene", intervene)

# %% [markdown]
# After such a change of a mask, which parts of MTAN must run again?
#
# **Predict.** Does the shared network have to? Does a changed mask of depth change the segmentation? May we
# change the masks of both tasks in the same run?

# %%
with torch.no_grad():
    shared_once = model.shared_features(images)


@torch.no_grad()
def answer():
    """Both tasks' predictions from the shared features that we kept."""
    found = {}
    for name, head in model.heads.items():
        found[name] = head(model.attention[name](*shared_once, model.transforms)["decoder1"].attended)
    return found


same = [torch.allclose(answer()[name], predictions[name], atol=1e-4) for name in names]
print("same predictions as the whole network:", all(same))

# %% [markdown]
# No mask reaches back into the shared network, and no task's attention reads the other task's. So the shared
# network runs **once**; we keep its features, and after each change only the attention and the heads run.
# And we can change the masks of both tasks in one go and measure both.


# %%
def changing(change, level):
    """The pairs that put change(mask, the other task's mask) in the place of both masks of a level."""

    def beside(others_mask):
        return lambda mask: change(mask, others_mask)

    pairs = []
    for name, other in zip(names, reversed(names), strict=True):
        pairs.append((mask_layer(model, name, level), beside(attention[other][level].mask)))
    return pairs


def headlines(found):
    """The headline metric of each task."""
    values = {}
    for task in todo:
        metric = task.metric()
        metric.update(found[task.name], batch[task.target])
        values[task.name] = metric.compute()[task.headline]
    return values


def score(kind, chosen_levels):
    """The headline metrics when the masks of these levels are changed."""
    return headlines(intervene(answer, [pair for level in chosen_levels for pair in changing(changes[kind], level)]))


# %% [markdown]
# First all ten levels at once.
#
# **Predict.** Which of the four changes does the greatest harm to **depth**? Write one of these into the
# first line, with its quotation marks:
#
# * `"mean of each channel"`
# * `"mean of everything"`
# * `"the other task's"`
# * `"ones"`

# %%
### BEGIN SOLUTION
guess = "ones"
### END SOLUTION
scores = {kind: score(kind, levels) for kind in changes}
worst = max(changes, key=lambda kind: scores[kind]["depth"])  # the metric is an error: higher is worse
compare("07.most_harm_to_depth", guess, worst)

# %% [markdown]
# Here is the table. As a floor we add what needs no network at all: the most frequent class and the median
# inverse depth, everywhere.

# %%
labels, depth = batch["segmentation"], batch["depth"]
commonest = torch.bincount(labels[labels >= 0]).argmax()
same_everywhere = {
    "segmentation": F.one_hot(commonest, 7)[None, :, None, None].expand(len(images), 7, *val.size),
    "depth": depth[depth > 0].median().expand_as(depth),
}
print("masks of all ten levels  mean IoU (higher is better)  depth error (lower is better)")
for kind, values in {**scores, "no network": headlines(same_everywhere)}.items():
    print(f"{kind:<24} {values['segmentation']:>8.3f} {values['depth']:>28.4f}")

# %% [markdown]
# The nearer a row comes to the floor, the more the network hangs on what was taken away. Below the floor,
# the network is misled.
#
# Compare the rows in pairs:
#
# * *mean of each channel* against *intact*: what the pattern over the pixels is worth, all levels together;
# * *mean of everything* against *mean of each channel*: what choosing channels is worth. If this step is
#   large and the first one is small, the masks are channel selectors, and a number for each channel would do;
# * *the other task's* against *mean of each channel*: whether a wrong pattern is worse than none;
# * *ones* against *mean of everything*: both treat all pixels and channels alike. What they differ in is the
#   strength of the features, not selection.
#
# In our network the first step is large for both tasks: without the pattern, mean IoU falls by a quarter and
# the depth error triples. The second step is small. So these masks select *places*, hardly channels, as their
# variance made us expect. And for depth, another task's masks and masks of ones are worse than no network at
# all: it is misled by features that are wrong, or right but twice as strong as it has learned.
#
# Now level by level. For that the two metrics need a common measure.

# %% [markdown]
# {{exercise 07.harm}}
#
# **Harm** is how much worse a metric is than that of the intact network, in per cent of the intact one.
# Positive is worse, for metrics where higher is better and for those where lower is better; negative means
# that the metric improved. The function gets the metric after a change, the intact one, both above 0, and
# whether higher is better.


# %%
def harm(value, intact, higher_is_better):
    """How much worse than intact, in per cent of it: a number."""
    ### BEGIN SOLUTION
    change = 100 * (value / intact - 1)
    return -change if higher_is_better else change
    ### END SOLUTION


# %%
harm = check("07.harm", harm)

# %% [markdown]
# A negative harm below means that the metric got *better* without the mask; on sixteen frames, a per cent or
# two on either side mean nothing.


# %%
def harm_to(task, values):
    """The harm to the headline metric of a task, to one decimal."""
    intact = scores["intact"][task.name]
    return round(float(harm(values[task.name], intact, task.higher_is_better)), 1) + 0.0  # + 0.0 turns -0.0 into 0.0


kinds = ("mean of each channel", "the other task's")
by_level = {kind: {level: score(kind, [level]) for level in levels} for kind in kinds}
print("harm in %       segmentation              depth")
print("level         mean    other's        mean    other's")
for level in levels:
    row = [harm_to(task, by_level[kind][level]) for task in todo for kind in kinds]
    print(f"{level}  {row[0]:8.1f}  {row[1]:8.1f}    {row[2]:8.1f}  {row[3]:8.1f}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
places = torch.arange(len(levels))
for axis, task in zip(axes, todo, strict=True):
    for kind, shift, fill in zip(kinds, (-0.2, 0.2), (1.0, 0.4), strict=True):
        heights = [harm_to(task, by_level[kind][level]) for level in levels]
        axis.bar(places + shift, heights, width=0.4, color=plots.task_colour(task), alpha=fill, label=kind)
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set(title=task.name, ylabel=f"harm to {task.headline.replace('_', ' ')} (%)", xticks=places)
    axis.set_xticklabels(levels, rotation=60)
    axis.legend(frameon=False, title="in place of the mask")
figure.supxlabel(val.source, fontsize=9, color="0.35")
plots.show(
    figure,
    "Harm in per cent for segmentation and for depth at the ten levels. Two bars for each level: the masks "
    "replaced by the mean of each channel, and by the masks of the other task.",
)
for task in todo:
    worst = max(levels, key=lambda level: harm_to(task, by_level["mean of each channel"][level]))
    print(f"{task.name}: the level whose mask is missed most is {worst}")

# %% [markdown]
# Read the bars of a task from left to right. A level with hardly any harm could do without its masks: a
# constant for each channel, which a convolution could take over, would serve as well. A level with large
# harm is where the task really selects. In chapter 04, after forty steps, only the last level was missed.
# After a longer training it is still so for segmentation, with one level more. Depth has learned to use the
# masks of its whole decoder, the later the more. The first three encoder levels are missed by neither task,
# and it is their pictures that papers show.
#
# Then compare the two tasks. The paper concludes that segmentation can use nearly all features, and that
# depth gains more from picking its own. Here depth loses far more without its masks than segmentation does.
# **So the conclusion gets support from the ablation, although the contrast, from which it was drawn, shows
# nothing.** This is the test that the contrast of section 3 could not replace. (Per cent of two different
# metrics are no common unit. But segmentation keeps three quarters of its IoU, and depth falls close to the
# floor.)
#
# **What ablation says and does not say.** It says what *this* network, as it is, depends on. It does not say
# that a network trained without the masks would be that much worse: it would learn to do without. That
# comparison is the one between MTAN and Split, both trained to the end.
#
# **To think through (8 minutes).** Give each frame the masks that belong to *another frame* (`mask.roll(1,
# 0)`), at all levels. What is lost now? Predict whether the harm is larger or smaller than with the mean of
# each channel.
#
# <details><summary>One answer</summary>
#
# ```python
# changes["another frame's"] = lambda mask, other: mask.roll(1, dims=0)
# print(score("another frame's", levels))
# ```
#
# Contrast, heights and channels all stay; only the tie between mask and picture is cut. Streets resemble each
# other (sky above, road below), so part of the pattern still fits. Where it does not fit it is wrong, and
# wrong can be worse than none.
#
# </details>

# %% [markdown]
# ## 6. Where are the masks high?
#
# It is tempting to look at a mask picture and say: "depth looks at the near things". We have the truth for
# every pixel, so we can ask it: what is the mean mask on road, on sky, on people? For that a level's masks
# become one picture, of the size of the image.

# %% [markdown]
# {{exercise 07.mask_picture}}
#
# The function gets masks [B, C, h, w] and the size (H, W) of the image, and returns one picture for each
# frame, [B, H, W]: the mean over the channels, enlarged bilinearly. A mask is smaller than the image because
# 2 × 2 pixels became one, again and again. So **a pixel of the mask covers a block of the image**, and the
# centre of the one belongs on the centre of the other: corners are not laid on corners. The values stay what
# they are; do not stretch them.
#
# <details><summary>Stuck?</summary>
#
# `F.interpolate` wants [B, C, h, w], so keep an axis for the channels and take it away at the end. Read in
# its documentation what `mode` and `align_corners` do.
#
# </details>


# %%
def mask_picture(mask, size):
    """Masks [B, C, h, w] and (H, W) -> the mean over the channels at the size of the image, [B, H, W]."""
    ### BEGIN SOLUTION
    mean = mask.mean(dim=1, keepdim=True)
    return F.interpolate(mean, size=size, mode="bilinear", align_corners=False)[:, 0]
    ### END SOLUTION


# %%
mask_picture = check("07.mask_picture", mask_picture)

# %%
pictures = {
    name: {level: mask_picture(attention[name][level].mask, val.size) for level in levels} for name in names
}
figure, axes = plt.subplots(1, 3, figsize=(8, 1.7), layout="constrained")
axes[0].imshow(images[0].permute(1, 2, 0))
axes[0].set_title("image", fontsize=9)
for axis, name in zip(axes[1:], names, strict=True):
    drawn = axis.imshow(pictures[name]["decoder3"][0], cmap="viridis", vmin=0, vmax=1)
    axis.set_title(f"{name}: mean mask", fontsize=9)
    spread = contrast(pictures[name]["decoder3"][:, None])
    print(f"decoder3 {name:<13} contrast of the picture {spread:.2f}, of its channels {measured[name]['decoder3']:.2f}")
figure.colorbar(drawn, ax=axes, label="mean mask")
for axis in axes:
    axis.set(xticks=[], yticks=[])
figure.supxlabel(f"decoder3. {val.source}", fontsize=7, color="0.35")
plots.show(
    figure,
    "A street, and for segmentation and for depth the mean over all masks of decoder3: blurred, and all in the "
    "middle of the scale from 0 to 1, with a darker band along the far end of the road.",
)

# %% [markdown]
# The picture is much flatter than the masks that it is made of: where one channel is open another is shut,
# and the mean hides both. Keep that in mind for all that follows in this section.
#
# Now the mean of such a picture over the pixels of each class. First on a mask of 2 × 2 pixels with the
# classes 0, 0, 1 and void ($-1$).
#
# **Predict.** The two means for $a = \begin{pmatrix} 0.9 & 0.1 \\ 0.3 & 0.7 \end{pmatrix}$ and
# classes $\begin{pmatrix} 0 & 0 \\ 1 & -1 \end{pmatrix}$.


# %%
def mean_by_class(picture, labels, classes):
    """Pictures [B, H, W] and labels [B, H, W] -> the mean of each class; void belongs to none."""
    return [picture[labels == number].mean().item() for number in range(classes)]


mask = torch.tensor([[[[0.9, 0.1], [0.3, 0.7]]]])
means = mean_by_class(mask_picture(mask, (2, 2)), torch.tensor([[[0, 0], [1, -1]]]), 2)
print([f"{mean:.2f}" for mean in means])

# %%
class_names = label_set(7).names
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.2), layout="constrained", sharey=True)
places = torch.arange(7)
for axis, level in zip(axes, ("encoder1", "encoder3", "decoder1"), strict=True):
    for task, shift in zip(todo, (-0.2, 0.2), strict=True):
        means = mean_by_class(pictures[task.name][level], batch["segmentation"], 7)
        axis.bar(places + shift, means, width=0.4, color=plots.task_colour(task), label=task.name)
        highest, lowest = (class_names[means.index(pick(means))] for pick in (max, min))
        print(f"{level} {task.name:<13} {max(means):.2f} on {highest}, {min(means):.2f} on {lowest}")
    axis.set(title=level, xticks=places, ylim=(0, 1))
    axis.set_xticklabels(class_names, rotation=60)
axes[0].set_ylabel("mean mask")
axes[-1].legend(frameon=False)
figure.supxlabel(val.source, fontsize=9, color="0.35")
plots.show(
    figure,
    "Mean mask on the pixels of each of the seven classes, for both tasks: at encoder1, encoder3 and "
    "decoder1. Each class has a bar for segmentation and one for depth, between 0 and 1.",
)

# %% [markdown]
# The same against distance. The bins are ranges of inverse depth that double from one to the next; inverse
# depth is about $1.85 / Z$, so 0.25 lies 7 metres away and 0.03 about 60 metres. Pixels without valid depth
# (0) belong to no bin.

# %%
edges = torch.tensor([0.015, 0.03, 0.06, 0.12, 0.25, 0.5])
bins = torch.bucketize(batch["depth"][:, 0], edges) - 1  # -1 below the first edge, and where depth is 0
ranges = [f"{low:g}-{high:g}" for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3), layout="constrained", sharey=True)
for axis, level in zip(axes, ("encoder1", "decoder1"), strict=True):
    for task in todo:
        means = mean_by_class(pictures[task.name][level], bins, len(ranges))
        axis.plot(ranges, means, "o-", color=plots.task_colour(task), label=task.name)
        print(f"{level} {task.name:<13} farthest {means[0]:.2f}, nearest {means[-1]:.2f}")
    axis.set(title=level, xlabel="inverse depth (far to near)", ylim=(0, 1))
axes[0].set_ylabel("mean mask")
axes[1].legend(frameon=False)
figure.supxlabel(val.source, fontsize=9, color="0.35")
plots.show(
    figure,
    "Mean mask against five ranges of inverse depth from far to near, one line for each task, at encoder1 on "
    "the left and at decoder1 on the right.",
)

# %% [markdown]
# Both figures are means over the channels. If their bars and lines are nearly level, that does not mean that
# the masks ignore the scene: a channel that is high on the sky and one that is low there cancel.
#
# Suppose that a line rises or a bar stands out. Does the mask *know* the class, or the distance?
#
# **Predict.** The mask of encoder1 at one pixel is computed from $u$ of level 1, the output of one 3×3
# convolution, by 1×1 convolutions. How many pixels of the image can it see? (And that of decoder1?)
#
# We ask autograd: the image pixels for which the gradient of one mask value is not zero.

# %%
### BEGIN SOLUTION
guess = 9
### END SOLUTION
image = images[:1].clone().requires_grad_()
_, seen = model(image, return_attention=True)


def pixels_seen(level):
    """How many pixels of the image have an influence on the masks of depth at one pixel in the middle."""
    one_pixel = seen["depth"][level].mask[0, :, 64, 128].sum()  # all channels at one pixel
    (gradient,) = torch.autograd.grad(one_pixel, image, retain_graph=True)
    return int((gradient.abs().sum(dim=1) > 0).sum())


print(f"decoder1: {'more' if pixels_seen('decoder1') > 100 else 'less'} than 100 of {image[0, 0].numel()} image pixels")
compare("07.pixels_seen", guess, pixels_seen("encoder1"))

# %% [markdown]
# **From nine pixels nobody can tell a class or a distance.** Whatever encoder1's masks
# seem to say about cars or near things, they say about colours and edges: sky is bright, roads are grey and
# smooth, and both have their usual class and their usual distance. Such a third thing that explains both is
# called a **confounder**. At decoder1 the mask has seen much of the image and *could* know. Whether it does
# is again a matter of intervention, not of looking.
#
# **To think through (5 minutes).** To compare encoder3 with the labels we enlarged the masks. One could also
# make the labels smaller, to a quarter of the height and width. Why must you not average them, and what do
# you do instead?
#
# <details><summary>One answer</summary>
#
# The mean of class 0 and class 2 is not class 1. Take every fourth label instead,
# `batch["segmentation"][:, ::4, ::4]`, that is, the nearest one.
#
# </details>

# %% [markdown]
# ## 7. What a mask does not tell
#
# ### Its height is not its importance
#
# "The mean mask of depth is 0.3, so depth uses 30 % of the features." Is that so? After the mask comes $f$:
# a convolution, then batch normalisation. A convolution is linear, so half the attended feature with twice
# the weights is the same thing.
#
# **Predict.** We halve all masks of both tasks, at all levels but decoder1, and double the weights of the
# nine convolutions that read them. How much do the predictions change?

# %%
def halve(layer, inputs, mask):
    return mask / 2


readers = [f[0].weight for f in [*model.transforms.encoder, *model.transforms.decoder[:-1]]]
intact = answer()
halving = [(mask_layer(model, name, level), halve) for name in names for level in levels[:-1]]
with torch.no_grad(), hooked(halving):
    halved = answer()
    for weight in readers:
        weight *= 2
    compensated = answer()
    for weight in readers:
        weight /= 2
for name in names:
    change = (halved[name] - intact[name]).abs().mean() / intact[name].abs().mean()
    same = torch.allclose(compensated[name], intact[name], rtol=1e-3, atol=1e-4)
    print(f"{name:<13} halved: changed by {change:.0%}; weights doubled too: same as intact {same}")

# %% [markdown]
# With the weights doubled nothing changes: a network whose masks are half as high computes the same. So the
# height of a mask has no meaning by itself. (Halved masks alone do change the predictions, because in
# evaluation mode the normalisation uses the statistics of the whole ones.)
#
# In training the network does not even need to change a weight. There the normalisation after the
# convolution uses the statistics of the batch, and divides the factor out again:

# %%
f = model.transforms.encoder[0]
attended = attention["depth"]["encoder1"].attended
with torch.no_grad():
    convolved, convolved_half = f[0](attended), f[0](attended / 2)
    normal, normal_half = (F.batch_norm(x, None, None, training=True) for x in (convolved, convolved_half))
for moment, whole, half in (("before", convolved, convolved_half), ("after", normal, normal_half)):
    change = (whole - half).abs().mean() / whole.abs().mean()
    print(f"{moment} the normalisation the halved mask makes a difference of {change:.0%}")

# %% [markdown]
# So during training **there is no force on the overall height** of a level's masks, except that the sigmoid
# learns best in its middle. What has meaning is a *ratio*: of one channel to another within a task, and of
# one pixel to another within a channel. That is why we ablated with means, and why the line at 0.5 in section
# 4 is only a convention.
#
# (Decoder level 1 is the exception: its attended feature goes into the head, which has no normalisation.)
#
# ### It may act on nothing
#
# $p$ comes out of a ReLU. Where it is 0, the mask is multiplied by 0.

# %%
print("share of values with p = 0, where the mask does nothing")
for level in ("encoder1", "encoder3", "encoder5", "decoder3", "decoder1"):
    print(f"{level}  {(attention['depth'][level].shared == 0).float().mean():.2f}")

# %% [markdown]
# In this share of the picture you can admire the mask, and the network cannot notice. A mask picture should
# therefore always stand beside its $p$, as in figure 5.
#
# ### It is not an explanation
#
# * **The mask is not where the task looks**, only where it lets *one feature* pass. The features themselves
#   have seen a neighbourhood, and what is shut off in one channel may pass in another.
# * **Information goes around the mask.** The shared decoder reads the unmasked $p$, and each level's mask
#   reads $u$. A task that shuts a feature at encoder1 can meet it again later.
# * **One network is one draw.** Another seed gives other channels, other masks, and perhaps another order of
#   contrasts. What you claim about "the task" must hold over seeds.
# * **What the eye finds, it was looking for.** Say what you expect and in which number, then look.
#
# **To think through (open).** Chapter 06 saves checkpoints. Train your own network, longer or on real
# Cityscapes, put it in the place of `model`, and run this chapter again. Which of your statements survive?

# %% [markdown]
# ## Summary
#
# A forward hook catches a mask or puts another tensor in its place; MTAN also hands out all of its masks in
# one pass. Contrast, correlation and height turn what one sees in a mask picture into numbers, and only next
# to an untrained network do these numbers mean something. What a task really takes from its masks shows when
# they are replaced: by their means, or by the masks of the other task.
#
# ## Quiz
#
# 1. You put a hook on `model.encoder`, run the model under `torch.no_grad()`, and nothing is caught. Why?
#
#    * a: Forward hooks need gradients.
#    * b: The hook must return its output.
#    * c: The module itself is never called, only its parts.
#    * d: The model is in evaluation mode.
#
#    <details><summary>Answer</summary>
#
#    **c**: MTAN calls the encoder's blocks one by one and never the module as a whole.
#
#    a: forward hooks work under `no_grad`; all of this chapter's do. b: a hook that returns nothing looks,
#    and is called all the same. d: hooks do not depend on the mode.
#
#    </details>
# 2. Two masks are drawn, each with its own colour scale, and both go from dark to bright. What can you say
#    about their contrast?
#
#    * a: Nothing.
#    * b: It is the same for both.
#    * c: It is high for both.
#    * d: The one with more bright area has the higher contrast.
#
#    <details><summary>Answer</summary>
#
#    **a**: the scale is stretched to whatever is there, so the drawing says nothing about the range.
#
#    b and c: a mask from 0.50 to 0.53 is drawn from dark to bright just as one from 0 to 1. d: how much is
#    bright depends on where the values lie between the smallest and the largest, not on how far apart these
#    are.
#
#    </details>
# 3. Two masks have correlation 1. What follows?
#
#    * a: They are equal.
#    * b: They have the same contrast.
#    * c: They have the same height.
#    * d: They have the same pattern.
#
#    <details><summary>Answer</summary>
#
#    **d**: correlation compares what is left when mean and spread are taken away.
#
#    a: *sharp* and *soft* have correlation 1 and differ. b: their contrasts are 0.45 and 0.10; the
#    denominator divides the spread out. c: the means are taken away before anything is compared.
#
#    </details>
# 4. A mask is replaced by ones, and the metric falls. Does the network need the mask's pattern?
#
#    * a: Yes: the pattern is gone and the metric fell.
#    * b: It does not follow: the features have also become stronger than the next layers have ever seen.
#    * c: No: a mask of ones lets everything pass, so nothing is lost.
#    * d: Only if the metric falls to that of an untrained network.
#
#    <details><summary>Answer</summary>
#
#    **b**: two things were changed at once. Replace the mask by its mean, which takes away the pattern and
#    keeps the strength.
#
#    a: the strength alone may have done the harm. c: that everything passes is the trouble; the next layers
#    expect what the mask lets through. d: a pattern can be worth something long before everything is lost.
#
#    </details>
# 5. At encoder1 the mask of depth is high on near cars. Does it detect near things?
#
#    * a: Yes: its mean is higher on near pixels.
#    * b: Yes, if it is so in all sixteen frames.
#    * c: No, because masks hold no information.
#    * d: It cannot: it sees 3 × 3 pixels of the image.
#
#    <details><summary>Answer</summary>
#
#    **d**: it reacts to colours and edges, which near cars have more often than other places.
#
#    a: a mean that is higher shows that two things go together, not which of them the mask knows. b: more
#    frames make the same link more certain, not another one. c: the ablation shows that some masks matter a
#    great deal.
#
#    </details>
#
# What you have done so far, in this chapter and in the others:

# %% tags=["nbval-ignore-output", "why:shows-progress"]
progress()

# %% [markdown]
# ## What comes next
#
# You have built the whole of MTAN, trained it and looked inside it. From here on it is your own question:
# other tasks, another weighting, another data set. The chapters 01 to 06 are the pieces.
#
# ## Sources
#
# * S. Liu, E. Johns, A. J. Davison: *End-to-End Multi-Task Learning with Attention*, CVPR 2019, section
#   4.1.6 and figure 5 (attention masks as feature selectors), section 3 (the masks):
#   https://arxiv.org/abs/1803.10704
# * The authors' code: https://github.com/lorenmt/mtan
# * On attention and explanation: S. Jain, B. C. Wallace, *Attention is not Explanation*, NAACL 2019.
