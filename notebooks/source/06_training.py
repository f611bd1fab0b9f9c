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
# **Time:** about 45 minutes of reading, one minute of computing on a laptop, about twelve hours on a T4 with
# real Cityscapes (the paper's whole run; an estimate that section 8 explains).
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
#
# **Predict.** The shared encoder gets gradients from both tasks. Is its gradient the sum of the two tasks'
# gradients, their mean, or the larger of them?


# %%
def train_step(model, batch, tasks, balance, optimizer):
    predictions = model(batch["image"])
    losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in tasks])
    total = balance(losses)

    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return losses.detach()


torch.manual_seed(0)
model = models.build("mtan", todo, width=1 / 16)
balance = weighting.build("equal", todo)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
batch = next(iter(DataLoader(train, batch_size=4)))
for step in range(1, 6):
    losses = train_step(model, batch, todo, balance, optimizer)
    print(f"step {step}: " + ", ".join(f"{n} {v:.2f}" for n, v in zip(names, losses.tolist(), strict=True)))

# %% [markdown]
# Five steps on the same batch, and both losses fall. The gradient is the **sum**, each part times its
# weight: the derivative of a sum is the sum of the derivatives. We check this on one weight of the encoder.

# %%
weight = model.encoder.blocks[0][0][0].weight
predictions = model(batch["image"])
losses = [task.loss(predictions[task.name], batch[task.target]) for task in todo]
parts = [torch.autograd.grad(loss, weight, retain_graph=True)[0] for loss in losses]
both = torch.autograd.grad(sum(losses), weight)[0]
difference = (both - (parts[0] + parts[1])).abs().max() / both.abs().max()
print("gradient of the sum = sum of the gradients:", (difference < 1e-3).item())

# %% [markdown]
# ## 3. One epoch
#
# An **epoch** is one pass through all training frames. Besides doing the steps, it has to report the mean
# loss of each task, because DWA needs it. Two details matter.
#
# * The last batch is often smaller than the others. A plain mean over batches would count its frames more
#   than the rest, so each batch counts as many times as it has frames.
# * The losses are kept **unweighted** and detached. Detached means cut off from the graph that gradients
#   need; otherwise the graph of every step would stay in memory.


# %%
def train_epoch(model, loader, tasks, balance, optimizer):
    model.train()
    total, count = torch.zeros(len(tasks), dtype=torch.float64), 0
    for batch in loader:
        losses = train_step(model, batch, tasks, balance, optimizer)
        total += len(batch["image"]) * losses
        count += len(batch["image"])
    return total / count


# %% [markdown]
# By hand: two batches, one of 4 frames with loss 1.0 and one of 2 frames with loss 4.0. The mean over
# batches would be 2.5. The mean over frames is $(4 \cdot 1.0 + 2 \cdot 4.0) / 6 = 2.0$. And now our epoch
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
print("mean losses of the epoch, ours:  ", [f"{value:.2f}" for value in ours])
print("equal to the package's:", torch.equal(ours, theirs))

# %% [markdown]
# ## 4. Evaluation
#
# Two mistakes are common when a network is evaluated.
#
# **The network is left in training mode.** Batch normalisation has two modes. In training it normalises
# with the mean and variance of the current batch; in evaluation with the running averages from training. In
# training mode the prediction for a picture depends on the other pictures of its batch.
#
# **Predict.** We ask for the prediction of one frame, once alone and once in a batch with three others. In
# which of the two modes are the answers the same?

# %%
images = batch["image"]
for mode in (True, False):
    model.train(mode)
    with torch.inference_mode():
        alone = model(images[:1])["depth"]
        together = model(images)["depth"][:1]
    same = torch.allclose(alone, together, atol=1e-4)
    print(f"{'training' if mode else 'evaluation'} mode: same prediction alone and in a batch: {same}")

# %% [markdown]
# (The running averages are themselves updated by every pass in training mode, even without gradients. So a
# single careless pass changes the network.)
#
# **The metrics are averaged over batches.** Chapter 03 showed that the mean of per-batch mIoUs is not the
# mIoU. Our metrics are accumulators: they are fed batch by batch and compute once, at the end.


# %%
def evaluate_by_hand(model, dataset, tasks, batch_size):
    metrics = {task.name: task.metric() for task in tasks}
    model.eval()
    with torch.inference_mode():
        for batch in DataLoader(dataset, batch_size):
            predictions = model(batch["image"])
            for task in tasks:
                metrics[task.name].update(predictions[task.name], batch[task.target])
    return {name: metric.compute() for name, metric in metrics.items()}


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
print("equal to the package's:", theirs == four)

# %% [markdown]
# ## 5. The schedule
#
# The learning rate is halved at half of the run. Large steps first, to get near a good place; smaller ones
# then, to settle in it. torch calls this `StepLR`: after every `step_size` epochs it multiplies the rate by
# `gamma`.


# %%
def learning_rates(epochs, first):
    weight = torch.nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.Adam([weight], lr=first)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=(epochs + 1) // 2, gamma=0.5)
    rates = []
    for _ in range(epochs):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return rates


rates = learning_rates(200, 1e-4)
figure, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
axes.step(range(1, 201), rates, where="post", color="black")
axes.set(xlabel="epoch", ylabel="learning rate of Adam", ylim=(0, 1.2e-4))
axes.set_title("The paper's schedule")
plots.show(figure, "The learning rate over 200 epochs: 0.0001 for the first hundred, 0.00005 for the rest.")
print(f"epoch 1: {rates[0]:g}, epoch 100: {rates[99]:g}, epoch 101: {rates[100]:g}")

# %% [markdown]
# ## 6. What a checkpoint must hold
#
# A Kaggle session ends after twelve hours, a Colab session whenever it likes. A run of days must survive
# that. A **checkpoint** is a file from which the run goes on.
#
# **Predict.** Which of these must be in the file, if the resumed run is to give *exactly* the numbers of a
# run that was never stopped: the weights of the network; the running averages of batch normalisation; the
# state of Adam; the learning rate; the weighting; the history; the random states?
#
# We try. First a whole run of four epochs; then two epochs, a stop, and two more from a file that holds
# only the network. To be quick, the frames are few and small.

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


def final_losses(history):
    return {name: f"{value:.2f}" for name, value in history[-1]["losses"].items()}


_, whole = tiny_run()
print("never stopped:", final_losses(whole))


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

# %%
resumed = models.build("mtan", todo, width=1 / 32)
resumed.load_state_dict(only_weights)
naive = fit(resumed, tiny_train, tiny_val, todo, weighting.build("dwa", todo), epochs=2, **settings)
print("never stopped:          ", final_losses(whole))
print("resumed from weights:   ", final_losses(naive))
print("the same, every digit:  ", whole[-1]["losses"] == naive[-1]["losses"])

# %% [markdown]
# Nothing crashed, and the losses are not those of the whole run. Adam had forgotten its averages, the frames came
# in the order of the first epochs again, DWA began with two equal epochs, and the learning rate began at its full
# size again. Mistakes
# of this kind are seldom noticed: the loss still falls.
#
# So everything goes into the file, even the random states. The class `Checkpoint` takes the parts that have
# a `state_dict` and saves them together with the history and the settings of the run.
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


# %%
def save_atomically(contents, path):
    temporary = path.with_name(path.name + ".tmp")
    torch.save(contents, temporary)
    temporary.replace(path)


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
# ### The proof
#
# Now the same experiment with a real checkpoint: stop after two epochs, build everything anew, call `fit`
# again.
#
# **Predict.** To how many digits will the losses agree?

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
same = [torch.equal(a, b) for a, b in zip(model_resumed.parameters(), model_whole.parameters(), strict=True)]
print("weights are equal, every bit:", all(same))

# %% [markdown]
# All digits. On a CPU a run is a sequence of exact instructions, so "nearly the same" would mean that
# something is missing from the file. (On a GPU some sums are formed in changing order, and the last digits
# differ even between two runs that were never stopped.)
#
# A checkpoint also knows which run it belongs to. If it is continued with another setting, it says which
# one differs:

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "run.pt"
    tiny_run(epochs=1, checkpoint=path)
    try:
        tiny_run(epochs=2, checkpoint=path)
    except CheckpointError as error:
        print(type(error).__name__, "·", str(error).splitlines()[1].strip())

# %% [markdown]
# **Exercise (10 minutes).** Take one part at a time out of the checkpoint: kill the run after two epochs, read the
# file, put a fresh state in place of Adam's, write the file again and let the run go on. Then do the same with
# the weighting and with the network. Which part changes the losses most?
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
# The network, of course: two of the four epochs are lost. Without Adam's averages or DWA's two epochs the losses
# of so short a run change only in the third or fourth digit. That is what makes such a mistake hard to see.
#
# </details>
#
# ## 7. The run
#
# Everything is there. `fit` is the loop over epochs: train, evaluate, tell the weighting, step the
# schedule, save. We train MTAN with DWA.
#
# **Predict.** On the quick run each epoch has twelve steps. Will four epochs be enough to beat a predictor
# that ignores the picture?

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
# A number is good only compared with something. We take the constant answers of chapter 01, section 3, once more,
# now as a model that `evaluate` can measure: the most frequent class everywhere, and the median of the depths of
# the training set.

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


# %% tags=["reached"]
trivial = evaluate(Trivial(), val, todo, device=platform.device)
last = history[-1]["metrics"]
better = {
    "mean IoU": last["segmentation"]["mean_iou"] > trivial["segmentation"]["mean_iou"],
    "pixel accuracy": last["segmentation"]["pixel_accuracy"] > trivial["segmentation"]["pixel_accuracy"],
    "absolute depth error": last["depth"]["absolute_error"] < trivial["depth"]["absolute_error"],
}
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
# Large surfaces come first, small things are missing. That is what a few dozen steps can do: road and houses are
# most of the pixels, and so most of the loss. The depth is speckled because an unpooled feature is sparse (chapter
# 02, section 4), and filling the gaps has yet to be learned. The network that ships with the course
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
# That is about as long as a Kaggle session may last. An estimate is not a measurement: before you start, run ten
# steps on your own machine and look at the clock. And use a checkpoint in any case: a run that just fits into a
# session will one day not fit.
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
# **Exercise (15 minutes).** Run the quick training with three seeds (`fit(..., seed=...)` and
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
#    <details><summary>Answer</summary>
#
#    Otherwise each number keeps the graph of its whole step alive, and memory grows with every batch. The
#    value would be the same.
#
#    </details>
# 2. A friend evaluates with batches of 1 in training mode and finds poor metrics. What happened?
#    <details><summary>Answer</summary>
#
#    Batch normalisation used the statistics of single pictures instead of the running averages, and it also
#    updated those averages. The metrics are not to blame.
#
#    </details>
# 3. A resumed run agrees with the whole one to three digits. Good enough?
#    <details><summary>Answer</summary>
#
#    Not on a CPU: something is missing from the checkpoint, for example Adam's state or the order of the
#    frames. It could be much worse in a longer run.
#
#    </details>
# 4. Why not write the checkpoint straight to its name?
#    <details><summary>Answer</summary>
#
#    A session that ends while the file is being written leaves half a file, and the old one is gone. With
#    another name and a rename there is always one whole file.
#
#    </details>
# 5. You stop at the epoch with the best validation mIoU and report that mIoU. What is wrong?
#    <details><summary>Answer</summary>
#
#    The maximum of many noisy numbers is too high, and the images that chose it are the ones it is reported
#    on.
#
#    </details>
#
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
