# %% [markdown]
# # 06 · Training MTAN
#
# {{chapter_badges}}
#
# In this chapter you build the full training loop: one step, one epoch, evaluation, the learning-rate
# schedule, checkpoints from which a run that was killed goes on, and the paper's recipe behind one switch.
#
# **After this chapter you can**
#
# * write a multi-task training step and say what each of its lines is for;
# * evaluate a network without the two classic mistakes;
# * list everything that a checkpoint must hold, and prove that a resumed run gives the same numbers;
# * start the paper's run, and read its result honestly.
#
# **Time:** about 45 minutes of reading, {{exercise_minutes}} minutes of exercises, one minute of computing on a
# laptop, about twelve hours on a T4 with real Cityscapes (the paper's whole run; an estimate that section 8
# explains).
#
# **You need from before:** tasks and metrics from chapter 03, MTAN from chapter 04, weightings from chapter
# 05.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Training MTAN", minutes_cpu=1, minutes_gpu=720)

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch.utils.data import DataLoader

from course_utils import data, models, plots, tasks, training, weighting
from course_utils.checkpoint import CheckpointError
from course_utils.exercises import check, compare, progress
from course_utils.seeding import random_states, set_random_states
from course_utils.training import evaluate, fit

plt.rcParams.update(plots.STYLE)

todo = [tasks.segmentation(7), tasks.depth()]
names = [task.name for task in todo]
print("tasks:", ", ".join(names))

# %% [markdown]
# ## 1. One switch: how big a run
#
# The cells of this chapter can do two runs. On a laptop they do a **quick** one, in a minute, on built-in
# street scenes. On a GPU with the real Cityscapes at hand they do the **paper's** run. One switch decides,
# `platforms.run_size()`. It looks at the machine, and the environment variable `MTAN_RUN` overrides it
# (`quick` or `paper`).

# %%
RUNS = {
    "quick": dict(size=(64, 128), width=1 / 8, epochs=4, batch_size=4, learning_rate=2e-3, frames=48),
    "paper": dict(size=(128, 256), width=1.0, epochs=200, batch_size=8, learning_rate=1e-4, frames=None),
}
size = platforms.run_size()
run = RUNS[size]
print("run size:", size)
print("settings:", {key: value for key, value in run.items() if key != "frames"})

# %% [markdown]
# The recipe of the CVPR paper is short: the optimiser Adam, a learning rate of 0.0001 that is halved after
# 100 of 200 epochs, batches of 8 images on Cityscapes and of 2 on NYUv2, no augmentation.
#
# Our quick network is an eighth as wide, and its learning rate is larger. There is a reason. Adam moves
# each weight by about the learning rate in each step. A convolution sums over its input channels, so its
# output moves by about the number of channels times the learning rate. Fewer channels, larger steps.

# %%
cityscapes = platforms.find_data("cityscapes") if size == "paper" else None
source = {"name": "cityscapes", "root": cityscapes} if cityscapes else {"name": "synthcity"}
train = data.load(split="train", size=run["size"], classes=7, length=run["frames"], **source)
val = data.load(
    split="val", size=run["size"], classes=7, length=run["frames"] and run["frames"] // 2, **source
)
print(f"{len(train)} training frames, {len(val)} validation frames of {train.size[0]} x {train.size[1]}")
print(train.source)

# %% [markdown]
# ## 2. One step
#
# A training step for $K$ tasks has five parts. Only the second and third differ from a step for one task.
#
# 1. **Forward:** one pass gives the predictions of all tasks.
# 2. **Losses:** each task compares its own prediction with its own target. That gives a vector of $K$
#    numbers.
# 3. **Total:** the weighting turns the vector into one number (chapter 05).
# 4. **Backward:** gradients of that number, for all weights at once.
# 5. **Step:** the optimiser moves the weights.

# %% [markdown]
# {{exercise 06.train_step}}
#
# Write the five parts as a function. It gets
#
# * `model`, which maps images to a dict: task name → prediction;
# * `batch`, a dict with `"image"` [B, 3, H, W] and the targets;
# * `tasks`, a list of K tasks; a task has `task.name`, `task.target` (the key of its target in the batch; it
#   may differ from the name) and `task.loss(prediction, target)`;
# * `balance`, the weighting: `balance(losses)` is the total, for a tensor of the K losses;
# * `optimizer`, which knows the weights of the model, and those of the weighting if it has any.
#
# It returns the K **unweighted** losses of the batch, a tensor of shape [K] that is detached. Detached means
# cut off from the graph that gradients need.
#
# One corner: torch does not replace old gradients, it *adds* new ones to them.


# %%
def train_step(model, batch, tasks, balance, optimizer):
    ### BEGIN SOLUTION
    predictions = model(batch["image"])
    losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in tasks])
    total = balance(losses)

    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return losses.detach()
    ### END SOLUTION


# %%
train_step = check("06.train_step", train_step)

# %% [markdown]
# Five steps on the same batch. Both losses should fall.

# %%
torch.manual_seed(0)
model = models.build("mtan", todo, width=1 / 16)
balance = weighting.build("equal", todo)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
batch = next(iter(DataLoader(train, batch_size=4)))
steps = [train_step(model, batch, todo, balance, optimizer).tolist() for _ in range(5)]
for name, first, last in zip(names, steps[0], steps[-1], strict=True):
    print(f"{name:<13} loss {first:.2f} in step 1, lower in step 5: {last < first}")

# %% [markdown]
# One `backward` served two tasks.
#
# **Predict.** The shared encoder gets gradients from both tasks. Is its gradient the sum of the two tasks'
# gradients, their mean, or the larger of the two? Write `"sum"`, `"mean"` or `"larger"` into the first line.
# The cell then compares on one layer of the encoder.

# %%
### BEGIN SOLUTION
guess = "sum"
### END SOLUTION
weight = model.encoder.blocks[0][0][0].weight
predictions = model(batch["image"])
losses = [task.loss(predictions[task.name], batch[task.target]) for task in todo]
parts = [torch.autograd.grad(loss, weight, retain_graph=True)[0] for loss in losses]
both = torch.autograd.grad(balance(torch.stack(losses)), weight)[0]
answers = {"sum": sum(parts), "mean": sum(parts) / 2, "larger": max(parts, key=torch.norm)}
distances = {name: (both - answer).norm() / both.norm() for name, answer in answers.items()}
compare("06.shared_gradient", guess, min(distances, key=distances.get))

# %% [markdown]
# With weights $\lambda_k$ each part counts $\lambda_k$ times, for the same reason.
#
# ## 3. One epoch
#
# An **epoch** is one pass through all training frames. Besides doing the steps, it has to report the mean
# loss of each task, because DWA needs it. Two details matter.
#
# * The last batch is often smaller than the others. A plain mean over batches would count its frames more
#   than the rest, so each batch counts as many times as it has frames.
# * The losses are kept **unweighted**, and they are numbers, not ends of a graph. Otherwise the graph of
#   every step would stay in memory.

# %% [markdown]
# {{exercise 06.train_epoch}}
#
# Go through all batches of `loader` once, with one `train_step` for each. Return the mean of each task's loss
# over all *frames*, a tensor of shape [K].
#
# One corner: an evaluation may have left the model in evaluation mode (section 4 says what that is).
# `model.train()` puts it into training mode.
#
# <details><summary>Stuck?</summary>
#
# Do it by hand first: two batches, one of 4 frames with loss 1.0 and one of 2 frames with loss 4.0. Which two
# numbers do you have to carry from batch to batch?
#
# </details>


# %%
def train_epoch(model, loader, tasks, balance, optimizer):
    ### BEGIN SOLUTION
    model.train()
    total, count = torch.zeros(len(tasks), dtype=torch.float64), 0
    for batch in loader:
        losses = train_step(model, batch, tasks, balance, optimizer)
        total += len(batch["image"]) * losses
        count += len(batch["image"])
    return total / count
    ### END SOLUTION


# %%
train_epoch = check("06.train_epoch", train_epoch)

# %% [markdown]
# By hand: two batches, one of 4 frames with loss 1.0 and one of 2 frames with loss 4.0. The mean over
# batches would be 2.5. The mean over frames is $(4 \cdot 1.0 + 2 \cdot 4.0) / 6 = 2.0$. And now your epoch
# against the package's, from the same weights.


# %%
def fresh(lr=1e-3, width=1 / 16):
    torch.manual_seed(0)
    model = models.build("mtan", todo, width=width)
    return model, torch.optim.Adam(model.parameters(), lr=lr)


small = torch.utils.data.Subset(train, range(10))
loader = DataLoader(small, batch_size=4)
model, optimizer = fresh()
ours = train_epoch(model, loader, todo, balance, optimizer)
model, optimizer = fresh()
theirs = training.train_epoch(model, loader, todo, balance, optimizer)
print("mean losses of the epoch:", [f"{value:.1f}" for value in ours])
print("equal to the package's:  ", torch.allclose(ours.double(), theirs, rtol=1e-5))

# %% [markdown]
# ## 4. Evaluation
#
# Two mistakes are common when a network is evaluated.
#
# **The network is left in training mode.** Batch normalisation has two modes. In training it normalises
# with the mean and variance of the current batch; in evaluation with the running averages from training.
#
# **Predict.** We ask for the prediction of one frame, once alone and once in a batch with three others, and
# compute no gradients. In which of the two modes are the answers the same? Write `"training"`,
# `"evaluation"`, `"both"` or `"neither"`.

# %%
### BEGIN SOLUTION
guess = "evaluation"
### END SOLUTION
images = batch["image"]
same = {}
for mode in ("training", "evaluation"):
    model.train(mode == "training")
    with torch.inference_mode():
        alone = model(images[:1])["depth"]
        together = model(images)["depth"][:1]
    same[mode] = torch.allclose(alone, together, atol=1e-4)
modes = [mode for mode, is_same in same.items() if is_same]
compare("06.same_alone", guess, {0: "neither", 2: "both"}.get(len(modes), *modes[:1]))

# %% [markdown]
# A prediction that depends on the other pictures of its batch is no property of the network. And there is a
# second harm: the running averages are updated by every pass in training mode, even without gradients. So a
# single careless pass changes the network.
#
# **The metrics are averaged over batches.** Chapter 03 showed that the mean of per-batch mIoUs is not the
# mIoU. Our metrics are accumulators: they are fed batch by batch and compute once, at the end.

# %% [markdown]
# {{exercise 06.evaluate_by_hand}}
#
# Measure `model` on a whole data set, in batches of `batch_size`: `DataLoader(dataset, batch_size)` makes them.
# A task's `task.metric()` gives a fresh accumulator with `update(prediction, target)` and `compute()`, which
# returns a dict of numbers. Return a dict: task name → what its accumulator computes.
#
# Three corners: evaluation mode; no gradients are kept (`torch.no_grad()` or `torch.inference_mode()`); and
# whoever calls you gets the model back in the mode in which it came (`model.training` tells which that is).
#
# <details><summary>Stuck?</summary>
#
# Three questions, in this order. What has to exist before the first batch comes? What happens for each batch?
# What may happen only after the last one?
#
# </details>


# %%
def evaluate_by_hand(model, dataset, tasks, batch_size):
    ### BEGIN SOLUTION
    metrics = {task.name: task.metric() for task in tasks}
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in DataLoader(dataset, batch_size):
            predictions = model(batch["image"])
            for task in tasks:
                metrics[task.name].update(predictions[task.name], batch[task.target])
    model.train(was_training)
    return {name: metric.compute() for name, metric in metrics.items()}
    ### END SOLUTION


# %%
evaluate_by_hand = check("06.evaluate_by_hand", evaluate_by_hand)

# %% [markdown]
# If the pooling is right, the result cannot depend on the size of the batches. And it must be the
# package's.

# %%
one, four = (evaluate_by_hand(model, small, todo, batch_size) for batch_size in (1, 4))
theirs = evaluate(model, small, todo, batch_size=4)
for task in todo:
    key = task.headline
    close = abs(one[task.name][key] - four[task.name][key]) < 1e-4
    print(f"{task.name} {key}: batches of 1 and of 4 agree: {close}")
    equal = abs(theirs[task.name][key] - four[task.name][key]) < 1e-6
    print(f"{task.name} {key}: equal to the package's:     {equal}")

# %% [markdown]
# ## 5. The schedule
#
# The paper's learning rate stays the same for 100 epochs and is then halved. Large steps first, to get near a
# good place; smaller ones then, to settle in it. In a longer run it would be halved again after the next 100
# epochs, and so on.

# %% [markdown]
# {{exercise 06.learning_rate}}
#
# Give the learning rate of an epoch as a formula. `epoch` counts from 1, `first` is the rate of the first
# epoch, and after every `halve_every` epochs the rate is halved. Mind the last epoch of each stretch.


# %%
def learning_rate(epoch, first, halve_every):
    ### BEGIN SOLUTION
    return first * 0.5 ** ((epoch - 1) // halve_every)
    ### END SOLUTION


# %%
learning_rate = check("06.learning_rate", learning_rate)

# %% [markdown]
# torch has the same schedule under the name `StepLR`. It is told when an epoch ends, and then sets the rate of
# the optimiser: after every `step_size` epochs it multiplies the rate by `gamma`. So it counts, and what counts
# has to be remembered when a run stops.


# %%
def rates_of_torch(epochs, first, halve_every):
    weight = torch.nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.Adam([weight], lr=first)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=halve_every, gamma=0.5)
    rates = []
    for _ in range(epochs):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return rates


rates = [float(learning_rate(epoch, 1e-4, 100)) for epoch in range(1, 201)]
theirs = rates_of_torch(200, 1e-4, 100)
figure, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
axes.step(range(1, 201), rates, where="post", color="black")
axes.set(xlabel="epoch", ylabel="learning rate of Adam", ylim=(0, 1.2e-4))
axes.set_title("The paper's schedule")
plots.show(figure, "The learning rate over 200 epochs: 0.0001 for the first hundred, 0.00005 for the rest.")
print(f"epoch 1: {rates[0]:g}, epoch 100: {rates[99]:g}, epoch 101: {rates[100]:g}")
print("equal to torch's:", all(abs(one - other) < 1e-9 for one, other in zip(rates, theirs, strict=True)))

# %% [markdown]
# ## 6. What a checkpoint must hold
#
# A Kaggle session ends after twelve hours, a Colab session whenever it likes. A run of days must survive
# that. A **checkpoint** is a file from which the run goes on.
#
# Which of these must be in the file, if the resumed run is to give *exactly* the numbers of a run that was
# never stopped: the weights of the network; the running averages of batch normalisation; the state of Adam; the
# learning rate; the weighting; the history; the random states? Choose, and write your choice down.
#
# Then we try. First a whole run of four epochs; then two epochs, a stop, and two more from a file that holds
# only the network. The loop over epochs is the package's `fit`; you write your own at the end of this section.
# To be quick, the frames are few and small.

# %%
tiny_train = data.load("synthcity", "train", size=(32, 64), classes=7, length=8)
tiny_val = data.load("synthcity", "val", size=(32, 64), classes=7, length=4)
settings = dict(batch_size=2, learning_rate=1e-3, seed=0)


def tiny_run(epochs=4, **options):
    torch.manual_seed(0)
    model = models.build("mtan", todo, width=1 / 32)
    balance = weighting.build("dwa", todo)
    history = fit(model, tiny_train, tiny_val, todo, balance, epochs=epochs, **settings, **options)
    return model, history


_, whole = tiny_run()
for name in names:
    print(f"{name}: lower in epoch 4 than in epoch 1: {whole[3]['losses'][name] < whole[0]['losses'][name]}")


# %%
class Killed(Exception):
    """Stands for the end of a session."""


def kill_after_two(history):
    if len(history) == 2:
        raise Killed


torch.manual_seed(0)
stopped = models.build("mtan", todo, width=1 / 32)
try:
    fit(stopped, tiny_train, tiny_val, todo, weighting.build("dwa", todo), epochs=4, **settings,
        after_epoch=kill_after_two)  # fmt: skip
except Killed:
    print("stopped after two epochs; only the network's state is kept")
only_weights = stopped.state_dict()

# %% [markdown]
# **Predict.** A new session: the network is built anew and gets the weights that were kept; all else begins
# from scratch, and two more epochs are trained. How do the losses of its last epoch look beside those of the
# whole run? Write `"error"`, `"same"`, `"slightly different"` (by less than a tenth) or `"much worse"`.

# %%
### BEGIN SOLUTION
guess = "slightly different"
### END SOLUTION
resumed = models.build("mtan", todo, width=1 / 32)
resumed.load_state_dict(only_weights)
naive = fit(resumed, tiny_train, tiny_val, todo, weighting.build("dwa", todo), epochs=2, **settings)
changes = [abs(naive[-1]["losses"][name] / whole[-1]["losses"][name] - 1) for name in names]
measured = "same" if max(changes) == 0 else "slightly different" if max(changes) < 0.1 else "much worse"
compare("06.only_weights", guess, measured)

# %%
print("the same, every digit:", naive[-1]["losses"] == whole[-1]["losses"])
print("depth loss lower than in the whole run:", naive[-1]["losses"]["depth"] < whole[-1]["losses"]["depth"])

# %% [markdown]
# Nothing crashed, and the losses are not those of the whole run. Adam had forgotten its averages, the frames
# came in the order of the first epochs again, DWA began with two equal epochs, and the learning rate began at
# its full size again. (The depth loss is even a little lower: larger steps help so early. It is still another
# run than the one that was asked for.)
#
# So everything goes into the file, even the random states. Network, optimiser, schedule and weighting are
# **parts** of the run that can speak for themselves: each has a `state_dict` and takes it back with
# `load_state_dict`.
#
# | part | without it |
# |---|---|
# | network: weights and running averages | the run starts from nothing |
# | optimiser: Adam's two averages for each weight | the first steps are far too large or too small |
# | schedule | the learning rate starts anew |
# | weighting: DWA's two epochs, uncertainty's parameters | equal weights for two epochs |
# | history, epoch | gaps in the curves; the epoch count starts at 1 |
# | random states, and a frame order that depends on (seed, epoch) | other frames, another run |
# | settings | nobody notices that a run goes on with another width or batch size |
#
# ### Never half a file
#
# Saving takes time, and a session can end in the middle. A file that is overwritten in place would then be
# lost: the old state is gone and the new one is not complete. The remedy is old and simple. Write to
# another name; when all is written, rename. Renaming is one step for the operating system, so at every
# moment the name points at a whole file.

# %% [markdown]
# {{exercise 06.save_atomically}}
#
# Save `contents` with `torch.save` so that at every moment the file at `path` is the old one or the new one,
# both whole. `path` is a `pathlib.Path`: `path.with_name("x")` is a file `x` in the same folder. Two corners:
# nothing else may be left in the folder, and the first time there is no old file.
#
# <details><summary>Stuck?</summary>
#
# Two lines do. Which name does `torch.save` get? And which method of a `Path` renames the file *over* one that
# is already there?
#
# </details>


# %%
def save_atomically(contents, path):
    ### BEGIN SOLUTION
    temporary = path.with_name(path.name + ".tmp")
    torch.save(contents, temporary)
    temporary.replace(path)
    ### END SOLUTION


# %%
save_atomically = check("06.save_atomically", save_atomically)

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "run.pt"
    save_atomically({"epoch": 1}, path)
    save_atomically({"epoch": 2}, path)
    print("file holds:", torch.load(path, weights_only=True))
    print("files left:", [file.name for file in Path(folder).iterdir()])

# %% [markdown]
# `weights_only=True` makes `torch.load` read plain data only. A checkpoint is a pickle, and a pickle from a
# stranger can run any code while it is being read.
#
# ### The checkpoint

# %% [markdown]
# {{exercise 06.SmallCheckpoint}}
#
# A class for the file. `SmallCheckpoint(path, model=model, optimizer=optimizer, ...)` gets any number of parts,
# under any names.
#
# * `save(history)` writes the state of every part, the history (a list with a dict for each epoch) and every
#   random state. Never half a file.
# * `load()` puts all of that back *into the parts* and returns the history. If there is no file yet, it changes
#   nothing and returns `[]`.
#
# Two functions of the package help: `random_states()` gives the states of Python's, NumPy's and torch's random
# numbers as plain data, and `set_random_states(states)` puts them back. `torch.load(path, weights_only=True)`
# has to be able to read the file.
#
# <details><summary>Stuck?</summary>
#
# Begin with `save`: one dict that holds three things. The first of them is itself a dict, part name → state.
# Then write `load` line by line as its mirror. The whole answer is in
# [the solutions](solutions/06_training.ipynb).
#
# </details>


# %%
class SmallCheckpoint:
    def __init__(self, path, **parts):
        self.path, self.parts = path, parts

    def save(self, history):
        ### BEGIN SOLUTION
        states = {name: part.state_dict() for name, part in self.parts.items()}
        save_atomically({"parts": states, "history": history, "random": random_states()}, self.path)
        ### END SOLUTION

    def load(self):
        ### BEGIN SOLUTION
        if not self.path.exists():
            return []
        contents = torch.load(self.path, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(contents["parts"][name])
        set_random_states(contents["random"])
        return contents["history"]
        ### END SOLUTION


# %%
SmallCheckpoint = check("06.SmallCheckpoint", SmallCheckpoint)

# %% [markdown]
# **Predict.** Two files of the same network after one step: one holds the network alone, the other also holds
# Adam. How many times as large is the second one?

# %%
### BEGIN SOLUTION
guess = 3
### END SOLUTION
model, optimizer = fresh(width=1 / 8)
train_step(model, batch, todo, balance, optimizer)
with tempfile.TemporaryDirectory() as folder:
    alone, together = Path(folder) / "network.pt", Path(folder) / "network_and_adam.pt"
    SmallCheckpoint(alone, model=model).save([])
    SmallCheckpoint(together, model=model, optimizer=optimizer).save([])
    times = together.stat().st_size / alone.stat().st_size
compare("06.checkpoint_size", guess, times)

# %% [markdown]
# At full width the network's 41 million weights are 165 MB, and a checkpoint is three times that. It is written
# once an epoch, not once a step.
#
# ### The loop over epochs
#
# All pieces are there. What is left is to put them in the right order.

# %% [markdown]
# {{exercise 06.fit_by_hand}}
#
# Train `model` for `epochs` epochs, and go on from the file at `path` if there is one.
#
# * The optimiser is Adam with the learning rate `lr`. It moves the weights of `model` *and* the parameters of
#   `balance`, if it has any (uncertainty weighting does).
# * The schedule halves the rate after `(epochs + 1) // 2` epochs.
# * Return the history: a list with a dict for each epoch, `{"epoch": 1, "learning_rate": ..., "losses": ...}`.
#   `epoch` counts from 1; `learning_rate` is the one this epoch was trained with; `losses` is the list of the K
#   unweighted mean losses.
# * After each epoch the weighting hears of it: `balance.end_epoch(losses)` wants the tensor that `train_epoch`
#   returned.
# * A run that is killed in the middle of an epoch and called again repeats that epoch from its start, and all
#   its numbers are those of a run that was never stopped. A run that is complete does nothing more.
#
# Think of the order within an epoch: what changes after the file is written is lost.
#
# <details><summary>Stuck?</summary>
#
# Write it without a checkpoint first, and run it on `tiny_train` with two epochs. Then make the checkpoint of
# everything that has a `state_dict` (with a schedule of torch's there are four). The length of the history that
# it loads tells which epoch comes next. The whole answer is in [the solutions](solutions/06_training.ipynb).
#
# </details>


# %%
def fit_by_hand(model, loader, tasks, balance, epochs, lr, path):
    ### BEGIN SOLUTION
    optimizer = torch.optim.Adam([*model.parameters(), *balance.parameters()], lr=lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=(epochs + 1) // 2, gamma=0.5)
    checkpoint = SmallCheckpoint(path, model=model, balance=balance, optimizer=optimizer, schedule=schedule)
    history = checkpoint.load()
    for epoch in range(len(history) + 1, epochs + 1):
        rate = schedule.get_last_lr()[0]
        losses = train_epoch(model, loader, tasks, balance, optimizer)
        history.append({"epoch": epoch, "learning_rate": rate, "losses": losses.tolist()})
        balance.end_epoch(losses)
        schedule.step()
        checkpoint.save(history)  # last: what changes after it would be lost
    return history
    ### END SOLUTION


# %%
fit_by_hand = check("06.fit_by_hand", fit_by_hand)

# %% [markdown]
# ### The proof
#
# Now the experiment again, with your loop and a real checkpoint. The loader below draws the frames in random
# order and ends the session in the middle of its third epoch. Then everything is built anew, and `fit_by_hand`
# is called again.
#
# **Predict.** To how many digits will the losses agree?


# %%
class StoppedLoader(DataLoader):
    epochs = 0

    def __iter__(self):
        self.epochs += 1
        for batch in super().__iter__():
            yield batch
            if self.epochs == 3:
                raise Killed


# %%
def my_run(path, kind=DataLoader):
    torch.manual_seed(0)
    model = models.build("mtan", todo, width=1 / 32)
    loader = kind(tiny_train, batch_size=2, shuffle=True)
    history = fit_by_hand(model, loader, todo, weighting.build("dwa", todo), epochs=4, lr=1e-3, path=path)
    return model, [[float(loss) for loss in record["losses"]] for record in history]


def equal_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


with tempfile.TemporaryDirectory() as folder:
    model_whole, losses_whole = my_run(Path(folder) / "whole.pt")
    try:
        my_run(Path(folder) / "stopped.pt", kind=StoppedLoader)
    except Killed:
        print("killed in epoch 3")
    model_resumed, losses_resumed = my_run(Path(folder) / "stopped.pt")
print("losses are equal, every digit:", losses_resumed == losses_whole)
print("weights are equal, every bit: ", equal_weights(model_resumed, model_whole))

# %% [markdown]
# The same with the package's `fit` and its checkpoint:

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "run.pt"
    try:
        tiny_run(checkpoint=path, after_epoch=kill_after_two)
    except Killed:
        print("stopped after two epochs; the checkpoint holds", torch.load(path, weights_only=True)["epoch"])
    model_resumed, history_resumed = tiny_run(checkpoint=path)
model_whole, whole = tiny_run()
print("histories are equal, every digit:", history_resumed == whole)
print("weights are equal, every bit:", equal_weights(model_resumed, model_whole))

# %% [markdown]
# All digits. On a CPU a run is a sequence of exact instructions, so "nearly the same" would mean that
# something is missing from the file. (On a GPU some sums are formed in changing order, and the last digits
# differ even between two runs that were never stopped.)
#
# The package's `Checkpoint` is yours with three things more: it knows which run it belongs to, it says in plain
# words what is wrong with a damaged file, and it waits until the disk has really written the file before it
# renames it. If a run is continued with another setting, it says which one differs:

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "run.pt"
    tiny_run(epochs=1, checkpoint=path)
    try:
        tiny_run(epochs=2, checkpoint=path)
    except CheckpointError as error:
        print(type(error).__name__, "·", str(error).splitlines()[1].strip())

# %% [markdown]
# **To think through (10 minutes).** Take one part at a time out of the checkpoint of `tiny_run`: kill the run
# after two epochs, read the file, put a fresh state in place of Adam's, write the file again and let the run go
# on. Then do the same with the weighting and with the network. Which part changes the losses most?
#
# <details><summary>One answer</summary>
#
# ```python
# contents = torch.load(path, weights_only=True)
# contents["optimizer"]["state"] = {}                                          # or
# contents["weighting"] = weighting.build("dwa", todo).state_dict()            # or
# contents["model"] = models.build("mtan", todo, width=1 / 32).state_dict()
# torch.save(contents, path)
# ```
#
# The network, of course: two of the four epochs are lost. Without Adam's averages or DWA's two epochs the
# losses of so short a run change only in the third or fourth digit. That is what makes such a mistake hard to
# see.
#
# </details>
#
# ## 7. The run
#
# Everything is there. The package's `fit` is your loop with an evaluation after each epoch, a progress bar, and
# an alarm when a loss is no longer a finite number. We train MTAN with DWA.

# %%
torch.manual_seed(0)
model = models.build("mtan", todo, width=run["width"]).to(platform.device)
history = fit(
    model, train, val, todo, weighting.build("dwa", todo, temperature=2.0),
    epochs=run["epochs"], batch_size=run["batch_size"], learning_rate=run["learning_rate"],
    checkpoint=None if size == "quick" else "runs/mtan_cityscapes.pt", device=platform.device,
)  # fmt: skip
for task in todo:
    first, last = (history[index]["losses"][task.name] for index in (0, -1))
    print(f"{task.name:<13} training loss below 0.8 of its first epoch's: {last < 0.8 * first}")

# %%
figure = plots.curves(history, todo)
plots.show(
    figure,
    "Training loss and validation metric of segmentation and depth over the epochs of the run. Both "
    "training losses fall.",
)
print("epochs:", len(history), " learning rates:", [record["learning_rate"] for record in history][:4])

# %% [markdown]
# Read the two rows apart. The upper one is what the network was asked to make small, on frames it was
# trained on. The lower one is what we want, on frames it has never seen. In a run as short as the quick
# one, the validation metric may jump: the running averages of batch normalisation still lag behind the
# weights.
#
# ### Against the trivial predictor
#
# A number is good only compared with something. We take the constant answers of chapter 01, section 3, once
# more, now as a model that `evaluate` can measure: the most frequent class everywhere, and the median of the
# depths of the training set.

# %%
frames = [train[index] for index in range(len(train))]
truths = torch.stack([frame["segmentation"] for frame in frames])
most_common = truths[truths >= 0].bincount().argmax()
depths = torch.stack([frame["depth"] for frame in frames])
typical = depths[depths > 0].median()


class Trivial(torch.nn.Module):
    def forward(self, images):
        B, _, H, W = images.shape
        scores = torch.zeros(B, 7, H, W, device=images.device)
        scores[:, most_common] = 1
        return {
            "segmentation": scores,
            "depth": torch.full((B, 1, H, W), typical.item(), device=images.device),
        }


# %% [markdown]
# **Predict.** On the quick run MTAN was trained for four epochs of twelve steps. On how many of the three
# metrics mean IoU, pixel accuracy and absolute depth error is it better than the constant answers?

# %%
### BEGIN SOLUTION
guess = 3
### END SOLUTION
trivial = evaluate(Trivial(), val, todo, device=platform.device)
last = history[-1]["metrics"]
better = {
    "mean IoU": last["segmentation"]["mean_iou"] > trivial["segmentation"]["mean_iou"],
    "pixel accuracy": last["segmentation"]["pixel_accuracy"] > trivial["segmentation"]["pixel_accuracy"],
    "absolute depth error": last["depth"]["absolute_error"] < trivial["depth"]["absolute_error"],
}
compare("06.better_than_trivial", guess, sum(better.values()))

# %% tags=["reached"]
for name, is_better in better.items():
    print(f"{name:<21} better than the trivial predictor: {is_better}")
print(f"MTAN, {len(history)} epochs: {sum(better.values())} of {len(better)} metrics better than trivial")

# %%
shown = torch.utils.data.default_collate([val[0], val[1]])
model.eval()
with torch.inference_mode():
    predictions = model(shown["image"].to(platform.device))
predictions = {name: value.cpu() for name, value in predictions.items()}
figure = plots.predictions(shown["image"], shown, predictions, todo, rows=2, source=val.source)
plots.show(
    figure,
    "Two validation frames with the truth and MTAN's prediction of classes and inverse depth. The predicted "
    "classes are little more than road below and buildings above; small things are missing. The predicted "
    "depth is speckled, bright on the road and dark above it.",
)
right = (predictions["segmentation"].argmax(1) == shown["segmentation"])[shown["segmentation"] >= 0]
print("more than 50 % of the pixels have the right class:", bool(right.float().mean() > 0.5))

# %% [markdown]
# Large surfaces come first, small things are missing. That is what a few dozen steps can do: road and houses
# are most of the pixels, and so most of the loss. The depth is speckled because an unpooled feature is sparse
# (chapter 02, section 4), and filling the gaps has yet to be learned. The network that ships with the course
# (chapters 00 and 07) is the same network after a longer run.
#
# ## 8. The paper's run
#
# On a machine with a GPU and the real data, this notebook does the paper's run by itself. The same run from
# a terminal needs no notebook, and it goes on from its checkpoint when it is called again:
#
# ```
# python -m course_utils train --dataset cityscapes --data-root DIR --model mtan --weighting dwa \
#     --width 1 --epochs 200 --out runs/mtan
# ```
#
# How long does it take? We estimate. A step of the full-width MTAN on two images of 128 x 256 needs about
# 578 billion floating-point operations (counted with torch's own counter, forward and backward). A T4 can
# do at most 8.1 trillion a second in 32-bit numbers, by its data sheet; a real network reaches perhaps half
# of that.

# %%
frames_per_epoch, epochs, batch_size = 2975, 200, 8
steps = -(-frames_per_epoch // batch_size) * epochs
seconds_per_step = 578e9 / 2 * batch_size / (0.5 * 8.1e12)
hours = steps * seconds_per_step / 3600
print(f"{steps:,} steps of {seconds_per_step:.2f} s: {hours:.0f} hours")

# %% [markdown]
# That is about as long as a Kaggle session may last. An estimate is not a measurement: before you start, run
# ten steps on your own machine and look at the clock. And use a checkpoint in any case: a run that just fits
# into a session will one day not fit.
#
# ### Reading the result honestly
#
# * **Do not choose the best epoch on the validation set.** That is choosing on the very images you report.
#   Report the mean of the last ten epochs; `training.mean_metrics(history, 10)` does it.
# * **One run is one sample.** Another seed can move mIoU by a point. Two methods that differ by less are
#   equal until several seeds say otherwise.
# * **Compare only what was computed alike.** The paper's mIoU of 53 on Cityscapes averages per image.
#   Later work, which pools over the set as we do and also augments its frames, reports about 75 for the same
#   network.
# * **MTAN is not best everywhere.** On Cityscapes the paper's own table has Dense ahead in depth: 0.0138
#   against 0.0144 absolute error under equal weights, with more than twice the parameters.
#
# **To think through (15 minutes).** Run the quick training with three seeds (`fit(..., seed=...)` and
# `torch.manual_seed`) and write down mean and spread of the final pixel accuracy. How large must a
# difference between two weightings be before you believe it?
#
# ## Summary
#
# A multi-task step is a single-task step with a vector of losses and a weighting in the middle. Evaluation
# needs evaluation mode and pooled metrics. A checkpoint holds everything that decides the next number, is
# written under another name and renamed, and the proof that it is complete is that a resumed run agrees in
# every digit.
#
# ## Quiz
#
# 1. Why is the loss that goes into the history detached?
#    - a: otherwise its value would be wrong
#    - b: otherwise the next `backward` would go through it once more
#    - c: otherwise it could not be added to other losses
#    - d: otherwise the graph of its whole step would stay in memory
#
#    <details><summary>Answer</summary>
#
#    **d.** A tensor that hangs on a graph keeps the graph alive, and with it the features of the whole network.
#    The memory grows with every batch.
#
#    - a: detaching never changes a value.
#    - b: `backward` follows the total it is called on, and the total of the next batch has a graph of its own.
#    - c: it could be added; the sum would then keep all the graphs alive.
#
#    </details>
# 2. A friend evaluates with batches of 1 in training mode, under `no_grad`, and finds poor metrics. What
#    happened?
#    - a: batch normalisation used mean and variance of single pictures
#    - b: the weights were changed by the evaluation
#    - c: `no_grad` switches batch normalisation off
#    - d: metrics need batches of at least 2
#
#    <details><summary>Answer</summary>
#
#    **a.** And every pass updated the running averages, too, so that the network is not the same afterwards.
#
#    - b: without gradients and without an optimiser no weight moves; the running averages do, but they are
#      buffers.
#    - c: `no_grad` and the mode are two switches; neither moves the other.
#    - d: an accumulator pools over pixels, and does not see how they came.
#
#    </details>
# 3. A resumed run agrees with the whole one to three digits, on a CPU. What do you conclude?
#    - a: all is well; more digits are never to be had
#    - b: the file was written as 16-bit numbers
#    - c: something that decides the next number is missing from the file
#    - d: the seed was different
#
#    <details><summary>Answer</summary>
#
#    **c.** For example Adam's averages, or the state that decides the order of the frames. In a longer run it
#    can be much worse.
#
#    - a: on a CPU the same instructions on the same numbers give the same result, in every bit.
#    - b: `torch.save` writes tensors as they are.
#    - d: with another seed the first weights are different, and the runs would not agree to three digits.
#
#    </details>
# 4. Why is a checkpoint written to another name and then renamed?
#    - a: it is faster
#    - b: so that at every moment one whole file lies under the name
#    - c: so that the old checkpoint is kept as well
#    - d: because an open file cannot be written twice
#
#    <details><summary>Answer</summary>
#
#    **b.** A session that ends while the file is being written leaves half a file under the *other* name, and
#    the old one is untouched.
#
#    - a: it is the same writing, and a rename more.
#    - c: the rename replaces the old file; to keep it, give each epoch a name of its own.
#    - d: it can be overwritten as often as you like. That is the danger.
#
#    </details>
# 5. You stop at the epoch with the best validation mIoU and report that mIoU. What is wrong?
#    - a: nothing, as long as the network was not trained on the validation set
#    - b: the best epoch depends on the batch size of the evaluation
#    - c: the last epoch is always the best one
#    - d: the images that chose the epoch are those it is reported on
#
#    <details><summary>Answer</summary>
#
#    **d.** The largest of many noisy numbers is too high: part of it is luck, and other images would not bring
#    the same luck.
#
#    - a: choosing is a kind of training, with one parameter: the epoch.
#    - b: pooled metrics do not depend on the batch size.
#    - c: it need not be; the mean over the last ten epochs asks for no best one.
#
#    </details>
#
# This is what you have done so far, in this chapter and in all others:

# %% tags=["nbval-ignore-output", "why:shows-progress"]
progress()

# %% [markdown]
# ## What comes next
#
# Chapter 07 opens a trained network and looks at its attention masks: what does each task look at?
#
# ## Sources
#
# * Liu, Johns, Davison, *End-to-End Multi-Task Learning with Attention*, CVPR 2019, section 4.1 (training)
#   and Table 2: https://arxiv.org/abs/1803.10704
# * Kingma, Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015
# * Navon et al., *Multi-Task Learning as a Bargaining Game*, ICML 2022, Table 3 (pooled mIoU of about 75)
