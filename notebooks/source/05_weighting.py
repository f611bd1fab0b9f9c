# %% [markdown]
# # 05 · Weighting
#
# {{chapter_badges}}
#
# In this chapter you build the three ways in which the paper turns the losses of several tasks into one
# number: equal weights, dynamic weight averaging (DWA) and learned uncertainty.
#
# **After this chapter you can**
#
# * say why the plain sum of losses is already a choice, and which task it favours;
# * compute the weights of DWA by hand and predict what its temperature does;
# * derive the weight that uncertainty weighting settles at, and say why its total may be negative;
# * train one network under each of the three and read their weights from a figure.
#
# **Time:** about 35 minutes of reading, one minute of computing on a laptop or a T4.
#
# **You need from before:** the losses of chapter 03 and MTAN from chapter 04.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Weighting", minutes_cpu=1, minutes_gpu=1)

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from course_utils import data, models, plots, tasks, weighting

plt.rcParams.update(plots.STYLE)

todo = [tasks.segmentation(7), tasks.depth()]
K = len(todo)
print(f"K = {K} tasks:", ", ".join(task.name for task in todo))

# %% [markdown]
# ## 1. The sum is a choice
#
# A network is trained to make one number small. With $K$ tasks there are $K$ numbers, and the paper adds
# them up with a **weight** $\lambda_k$ for each:
#
# $$\mathcal{L}_{\text{total}} = \sum_{k=1}^{K} \lambda_k \, \mathcal{L}_k$$
#
# "No weights" means $\lambda_k = 1$, which looks neutral. It is not. Cross-entropy is counted in nats and
# starts near $\ln 7 \approx 1.95$ for seven classes. The depth loss is counted in units of inverse depth,
# which is 0.26 for a wall at seven metres. Nobody chose these two units so that they can be added.
#
# **Predict.** An untrained network sees eight street scenes. Which of the two losses is larger, and by what
# factor? Write a number down before you run the cell.

# %%
train = data.load("synthcity", "train", size=(64, 128), classes=7, length=48)
batch = torch.utils.data.default_collate([train[index] for index in range(8)])

torch.manual_seed(0)
model = models.build("mtan", todo, width=1 / 16)
predictions = model(batch["image"])
losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
for task, loss in zip(todo, losses, strict=True):
    print(f"{task.name:<13} loss {loss:.2f}")

# %% [markdown]
# The optimiser does not see the losses, it sees their gradients. So the fair question is how strongly each
# task pulls at the weights that both share. We ask it of the shared encoder: the length of the gradient of
# each loss, one at a time.

# %%
shared = [weight for weight in model.encoder.parameters() if weight.dim() == 4]
for task, loss in zip(todo, losses, strict=True):
    gradients = torch.autograd.grad(loss, shared, retain_graph=True)
    length = torch.stack([gradient.norm() for gradient in gradients]).norm()
    print(f"{task.name:<13} gradient length at the shared encoder {length:.1f}")

# %% [markdown]
# The depth loss is the smaller one, and still it pulls harder. So a loss's size does not even tell how much
# its task is listened to.
#
# Now suppose that somebody stores inverse depth in another unit, a thousand times larger. Nothing about the
# street has changed, and nothing about the difficulty of the task.
#
# **Predict.** Inverse depth in the new unit: what happens to the share of the depth task in the total?

# %%
for name, unit in {"as stored": 1.0, "a thousand times larger": 1000.0}.items():
    rescaled = losses.detach() * torch.tensor([1.0, unit])
    share = rescaled[1] / rescaled.sum()
    print(f"inverse depth {name:<24} depth makes up {share:.0%} of the total")

# %% [markdown]
# A choice of unit decided which task the network works for. A **weighting** is a rule that takes this
# decision in a better way. In this course a weighting is an `nn.Module` with three parts, and we build
# three of them:
#
# | part | what it does |
# |---|---|
# | `weighting(losses)` | the total loss, from the K losses of a batch |
# | `weighting.weights` | the weights $\lambda$ that are in force, to look at |
# | `weighting.end_epoch(mean_losses)` | takes note of an epoch's mean losses |
#
# ## 2. Equal weights
#
# The first is the baseline: one line of arithmetic, and it makes the interface clear.


# %%
class Equal(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.count = count
        self.register_buffer("ones", torch.ones(count), persistent=False)

    @property
    def weights(self):
        return self.ones

    def forward(self, losses):
        return (self.weights * losses).sum()

    def end_epoch(self, mean_losses):
        pass  # equal weights learn nothing from the past


print("total of 2.0 and 0.5:", Equal(2)(torch.tensor([2.0, 0.5])).item())

# %% [markdown]
# A **buffer** is a tensor that belongs to a module but is not trained: it moves to the GPU together with
# the module.
#
# ## 3. Dynamic weight averaging
#
# The paper's own rule looks only at the numbers that every training loop prints anyway: the mean loss of
# each task in each epoch. It compares the last epoch with the one before:
#
# $$w_k(t-1) = \frac{\mathcal{L}_k(t-1)}{\mathcal{L}_k(t-2)}, \qquad
#   \lambda_k(t) = \frac{K \, \exp\left(w_k(t-1) / T\right)}{\sum_i \exp\left(w_i(t-1) / T\right)}$$
#
# * $w_k$ is the **rate of descent**. It has no unit: the unit of the loss stands above and below the line
#   and cancels. A task whose loss halved has $w = 0.5$; one that stands still has $w = 1$.
# * The **softmax** over tasks gives the larger share to the larger $w$, that is, to the task that is
#   learning slowly.
# * The factor $K$ makes the weights sum to $K$, as equal weights do. So the size of the total, and with it
#   the learning rate that suits it, stays as it was.
# * $T$ is the **temperature**, 2 in the CVPR paper. The larger it is, the more equal the weights become.
#
# Let us do it on paper. Segmentation went from 2.0 to 1.8, depth from 0.4 to 0.2, and $T = 2$.
#
# | | segmentation | depth |
# |---|---|---|
# | $w = $ last / before last | 1.8 / 2.0 = 0.9 | 0.2 / 0.4 = 0.5 |
# | $w / T$ | 0.45 | 0.25 |
# | $\exp(w / T)$ | 1.568 | 1.284 |
# | share, of the sum 2.852 | 0.5498 | 0.4502 |
# | $\lambda = K \cdot$ share | 1.100 | 0.900 |
#
# **Predict.** Depth's loss is five times smaller than that of segmentation, and it also falls faster. Which
# of the two facts does DWA use?


# %%
def dwa_weights(last, before_last, temperature):
    ratio = torch.where(before_last == 0, torch.ones_like(last), last / before_last)
    return len(ratio) * torch.softmax(ratio / temperature, dim=0)


last, before_last = torch.tensor([1.8, 0.2]), torch.tensor([2.0, 0.4])
print("weights      ", dwa_weights(last, before_last, temperature=2.0))
in_other_units = torch.tensor([1.0, 1000.0])
print("other units  ", dwa_weights(last * in_other_units, before_last * in_other_units, temperature=2.0))

# %% [markdown]
# The table's numbers, and the answer to the question: only the second fact counts. In other units the
# weights are the same. This is what DWA buys: the relative size of the losses no longer decides *how the
# weights change*. It does not remove the difference in size itself, because the weights stay close to 1 and
# multiply the losses as they are. We come back to that at the end.
#
# (The `where` covers one corner. A task that had no valid pixel in a whole epoch has loss 0, and 0 / 0 is
# not a number. Such a task counts as unchanged.)
#
# ### What the temperature does
#
# **Predict.** Two tasks, the second one stands still ($w_2 = 1$). Sketch $\lambda_1$ against $w_1$ from 0
# to 2 for $T = 0.2$, $T = 2$ and $T = 20$. Where do the three curves cross?

# %%
rates = torch.linspace(0, 2, 41)
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for temperature, style in {0.2: ":", 2.0: "-", 20.0: "--"}.items():
    curve = [dwa_weights(torch.tensor([rate, 1.0]), torch.ones(2), temperature)[0] for rate in rates]
    axes.plot(rates, curve, style, color="black", label=f"T = {temperature:g}")
axes.set(xlabel="rate of descent of the first task, $w_1$ (no unit)", ylabel="its weight $\\lambda_1$")
axes.set_title("Dynamic weight average of two tasks, $w_2 = 1$")
axes.legend(frameon=False)
plots.show(
    figure,
    "Three rising curves of the first task's weight against its rate of descent; all cross at rate 1, "
    "weight 1. T = 0.2 is a steep S from 0 to 2, T = 2 a gentle line, T = 20 is almost flat.",
)
for temperature in (0.2, 2.0, 20.0):
    weight = dwa_weights(torch.tensor([0.5, 1.0]), torch.ones(2), temperature)[0]
    print(f"T = {temperature:<4g} a task that halves its loss gets weight {weight:.4f}")

# %% [markdown]
# All curves meet at $w_1 = 1$, where both tasks descend alike. A low temperature gives almost everything to
# the slower task. At the paper's $T = 2$ the weights move by a few per cent only; at the $T = 20$ of the
# first version of the paper they hardly move at all. Keep that in mind when two training runs, with and
# without DWA, look alike.
#
# **Exercise (3 minutes).** Near $w = 1$ the weight of the first of two tasks is about $1 + (w_1 - w_2) /
# (2T)$. Derive it, and check it against the last line printed above.
#
# <details><summary>One answer</summary>
#
# With two tasks the softmax is a sigmoid: $\lambda_1 = 2\,\sigma\left((w_1 - w_2)/T\right)$. Near zero
# $\sigma(x) \approx \frac{1}{2} + \frac{x}{4}$, so $\lambda_1 \approx 1 + (w_1 - w_2)/(2T)$. For $w_1 =
# 0.5$ and $T = 20$: $1 - 0.5/40 = 0.9875$, as printed. For $T = 2$ it gives 0.875, and the true weight is 0.8756.
# For $T = 0.2$ it gives $-0.25$, which is no weight at all: there $(w_1 - w_2)/T$ is no longer small.
#
# </details>
#
# ### The module
#
# DWA has to remember two epochs. In the first two epochs there is nothing to compare, so the weights are 1.
# What it remembers lives in buffers: then it is part of `state_dict`, and a run that is stopped and started
# again goes on with the same weights. The number of epochs is kept as a tensor for the same reason.


# %%
class DynamicWeightAverage(Equal):
    def __init__(self, count, temperature=2.0):
        super().__init__(count)
        self.temperature = temperature
        self.register_buffer("mean_losses", torch.zeros(2, count, dtype=torch.float64))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))

    @property
    def weights(self):
        if self.epochs < 2:
            return self.ones
        before_last, last = self.mean_losses
        return dwa_weights(last, before_last, self.temperature).to(self.ones.dtype)

    @torch.no_grad()
    def end_epoch(self, mean_losses):
        self.mean_losses.copy_(torch.stack([self.mean_losses[1], mean_losses.to(self.mean_losses)]))
        self.epochs += 1


# %% [markdown]
# A made-up history shows it at work. Segmentation falls by 5 % in each epoch. Depth falls by 30 % an epoch
# for five epochs, and then stands still.
#
# **Predict.** Draw the two weights over the ten epochs. In which epoch do they differ for the first time,
# and what happens after epoch 6?

# %%
epochs = torch.arange(1, 11)
segmentation_loss = 2.0 * 0.95 ** (epochs - 1)
depth_loss = 0.4 * 0.7 ** (epochs - 1).clamp(max=5)
dwa = DynamicWeightAverage(2)
over_time = []
for mean_losses in torch.stack([segmentation_loss, depth_loss], dim=1):
    over_time.append(dwa.weights)
    dwa.end_epoch(mean_losses)

figure = plots.weights(torch.stack(over_time), todo)
plots.show(
    figure,
    "DWA's weights over ten epochs. Both are 1 in epochs 1 and 2. From epoch 3 to 7 segmentation lies "
    "above 1 and depth below; from epoch 8 on they change places.",
)
for epoch in (1, 2, 3, 7, 8, 10):
    print(
        f"epoch {epoch:>2}  segmentation {over_time[epoch - 1][0]:.3f}  depth {over_time[epoch - 1][1]:.3f}"
    )

# %% [markdown]
# Two epochs of equal weights, then the faster task gets less. Depth makes its last step in epoch 6, so the
# weights of epoch 7 still punish it, and from epoch 8 on it is the one that stands still and gets more.
#
# **The losses that DWA is given must be unweighted.** Multiplied by their weights, a loss would also shrink
# because its weight shrank, and the rule would react to itself. The training loop of chapter 06 therefore
# keeps the plain means.
#
# **Exercise (5 minutes).** Give `end_epoch` the *weighted* losses in the cell above. What happens to the
# weights after epoch 8, when depth no longer changes?
#
# <details><summary>One answer</summary>
#
# Call `dwa.end_epoch(mean_losses * dwa.weights)`. With the plain losses the weights stay the same from epoch 8
# on, since both rates do. With the weighted ones they go on moving: depth's weight is 1.013 in epoch 8, 1.046 in
# epoch 9 and 1.029 in epoch 10. A change of weight looks to the rule like a change of speed.
#
# </details>
#
# Now the check that our module and the one in the package are the same.

# %%
ours, theirs = DynamicWeightAverage(3, temperature=2.0), weighting.DynamicWeightAverage(3, temperature=2.0)
generator = torch.Generator().manual_seed(0)
same = []
for _ in range(5):
    batch_losses, mean_losses = torch.rand(2, 3, generator=generator)
    same.append(
        torch.equal(ours(batch_losses), theirs(batch_losses)) and torch.equal(ours.weights, theirs.weights)
    )
    ours.end_epoch(mean_losses)
    theirs.end_epoch(mean_losses)
print("equal to the package in five epochs:", all(same))
print("the weights sum to K = 3:", torch.isclose(ours.weights.sum(), torch.tensor(3.0)).item())

# %% [markdown]
# And the check that nothing is forgotten: a fresh module that loads the state of the old one gives the same
# weights.

# %%
resumed = DynamicWeightAverage(3, temperature=2.0)
print("before loading:", resumed.weights)
resumed.load_state_dict(ours.state_dict())
print("after loading, same as the old one:", torch.equal(resumed.weights, ours.weights))

# %% [markdown]
# ## 4. Learned uncertainty
#
# The third rule lets gradient descent find the weights. Kendall, Gal and Cipolla (CVPR 2018) start from a
# probability: the network predicts a value, and the truth is that value plus noise of a variance
# $\sigma_k^2$ that belongs to the task. The negative log-likelihood of the truth is then, up to a constant,
# the squared error divided by $2\sigma_k^2$, plus $\ln \sigma_k$. The MTAN authors use this form for every
# loss, with $s_k = \ln \sigma_k^2$:
#
# $$\mathcal{L}_{\text{total}} = \sum_{k=1}^{K} \frac{\mathcal{L}_k}{2 \, e^{s_k}} + \frac{s_k}{2}$$
#
# Each $s_k$ is one more number to be learned, starting at $-0.5$. The first term wants a large $s_k$: call
# the task noisy and its loss no longer counts. The second term makes that expensive.
#
# Where do the two balance? Set the derivative with respect to $s_k$ to zero:
#
# $$-\frac{\mathcal{L}_k}{2 \, e^{s_k}} + \frac{1}{2} = 0 \quad \Rightarrow \quad
#   e^{s_k} = \mathcal{L}_k, \qquad
#   \lambda_k = \frac{1}{2 \, e^{s_k}} = \frac{1}{2 \mathcal{L}_k}$$
#
# At balance every task contributes $\lambda_k \mathcal{L}_k = \frac{1}{2}$, whatever its unit. So this rule
# does remove the difference in size.
#
# **Predict.** Put $e^{s_k} = \mathcal{L}_k$ back into the total. For which losses is a task's term
# negative?

# %%
s = torch.linspace(-4, 2, 121)
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for loss, task in zip((1.5, 0.05), todo, strict=True):
    term = loss / (2 * s.exp()) + s / 2
    best = torch.tensor(loss).log()
    axes.plot(s, term, color=plots.TASK_COLOURS[task.target], label=f"{task.name}, loss {loss:g}")
    axes.plot(best, 0.5 + best / 2, "o", color=plots.TASK_COLOURS[task.target])
    print(f"loss {loss:<4g}  best s = {best:.2f}, weight {1 / (2 * loss):.2f}, term {0.5 + best / 2:.2f}")
axes.axhline(0, color="grey", linewidth=0.8)
axes.set(xlabel="log variance $s$", ylabel="the task's term in the total", ylim=(-2, 4))
axes.legend(frameon=False)
plots.show(
    figure,
    "A task's term against s for a loss of 1.5 and one of 0.05. Each is a valley with a dot at its lowest "
    "point, at s = 0.41 and s = -3.00. The valley of the smaller loss lies below zero.",
)

# %% [markdown]
# The term is $\frac{1}{2} + \frac{1}{2} \ln \mathcal{L}_k$, negative for losses under $1/e \approx 0.37$.
# **A negative total is no fault here.** It also means that totals of different weightings cannot be
# compared with each other; compare the unweighted losses or, better, the metrics.


# %%
class Uncertainty(Equal):
    def __init__(self, count):
        super().__init__(count)
        self.log_variances = nn.Parameter(torch.full((count,), -0.5))

    @property
    def weights(self):
        return (0.5 * torch.exp(-self.log_variances)).detach()

    def forward(self, losses):
        return (0.5 * torch.exp(-self.log_variances) * losses + 0.5 * self.log_variances).sum()


# %% [markdown]
# By hand: with $s = -0.5$ the weight is $\frac{1}{2} e^{0.5} = 0.824$, and for the losses 2.0 and 0.5 the
# total is $0.824 \cdot 2.5 - 0.5 = 1.561$. We compare with that, with the package, and with the place of
# balance that we derived: for fixed losses, gradient descent on $s$ alone must end at $\lambda_k = 1 / (2
# \mathcal{L}_k)$.

# %%
losses = torch.tensor([2.0, 0.5])
ours, theirs = Uncertainty(2), weighting.Uncertainty(2)
print(f"by hand 1.561, ours {ours(losses):.3f}")
print("equal to the package:", torch.equal(ours(losses), theirs(losses)))

optimizer = torch.optim.SGD(ours.parameters(), lr=0.5)
for _ in range(200):
    optimizer.zero_grad()
    ours(losses).backward()
    optimizer.step()
print("weights after descent:", ours.weights, "  1 / (2 L):", 1 / (2 * losses))

# %% [markdown]
# **Exercise (4 minutes).** The weights are learned with the same optimiser and learning rate as the
# network. What would happen to them with the paper's learning rate of 0.0001 and Adam, which moves a number
# by about its learning rate in each step? How many steps does $s$ need from $-0.5$ to $-3$?
#
# <details><summary>One answer</summary>
#
# $2.5 / 0.0001 = 25\,000$ steps. With 2975 training images in batches of 8, an epoch has 372 steps, so
# about 67 of the 200 epochs. In our short runs the weights cannot get anywhere near their balance unless
# the learning rate is larger.
#
# </details>
#
# ## 5. One network, three weightings
#
# Now we train the same small MTAN from the same first weights, once under each rule. Four epochs of twelve
# steps: enough for DWA to leave its two equal epochs behind, and no more. The loop is the plain one;
# chapter 06 builds the full one.


# %%
def train_with(name, epochs=4):
    torch.manual_seed(0)
    model = models.build("mtan", todo, width=1 / 16)
    balance = weighting.build(name, todo)
    optimizer = torch.optim.Adam([*model.parameters(), *balance.parameters()], lr=5e-3)
    loader = torch.utils.data.DataLoader(train, batch_size=4)
    history = []
    for epoch in range(1, epochs + 1):
        weights = dict(zip([task.name for task in todo], balance.weights.tolist(), strict=True))
        losses = one_epoch(model, balance, optimizer, loader)
        balance.end_epoch(losses)
        named = dict(zip([task.name for task in todo], losses.tolist(), strict=True))
        history.append({"epoch": epoch, "weights": weights, "losses": named, "metrics": {}})
    return history


# %%
def one_epoch(model, balance, optimizer, loader):
    mean_losses = torch.zeros(K)
    for batch in loader:
        predictions = model(batch["image"])
        losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        mean_losses += losses.detach() / len(loader)  # unweighted
    return mean_losses


# %% [markdown]
# **Predict.** Uncertainty starts with the weight $\frac{1}{2} e^{0.5} = 0.82$ for both tasks. In which direction
# does each of its two weights move? And how far from 1 will those of DWA be in epoch 4?

# %%
runs = {name: train_with(name) for name in ("equal", "dwa", "uncertainty")}
for name, history in runs.items():
    weights = "  ".join(f"{key} {value:.2f}" for key, value in history[-1]["weights"].items())
    print(f"{name:<12} weights in epoch 4: {weights}")
before, after = runs["uncertainty"][0]["weights"], runs["uncertainty"][-1]["weights"]
for task in todo:
    print(f"uncertainty moved {task.name}", "up" if after[task.name] > before[task.name] else "down")
dwa_weights_at_the_end = torch.tensor(list(runs["dwa"][-1]["weights"].values()))
print("dwa: both within 0.1 of 1:", bool((dwa_weights_at_the_end - 1).abs().max() < 0.1))

# %% tags=["reached"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for axis, task in zip(axes, todo, strict=True):
    for (name, history), style in zip(runs.items(), ("-", "--", ":"), strict=True):
        values = [record["losses"][task.name] for record in history]
        axis.plot([1, 2, 3, 4], values, style, marker="o", color=plots.task_colour(task), label=name)
    axis.set(xlabel="epoch", ylabel=f"{task.name}: mean training loss", xticks=[1, 2, 3, 4], ylim=(0, None))
    axis.legend(frameon=False)
figure.supxlabel(train.source, fontsize=9, color="0.4")
plots.show(
    figure,
    "Mean training loss over four epochs, one panel for segmentation and one for depth, three lines each "
    "for equal, DWA and uncertainty. All fall, and the lines lie close together or on top of each other.",
)
fell = [
    history[-1]["losses"][task.name] < 0.95 * history[0]["losses"][task.name]
    for history in runs.values()
    for task in todo
]
print(f"MTAN, {len(runs)} weightings: {sum(fell)} of {len(fell)} losses fell by over 5 %")

# %% [markdown]
# DWA's weights stay close to 1: both losses still fall, at similar rates, and $T = 2$ is mild. Uncertainty's have
# begun their way to $1 / (2 \mathcal{L}_k)$, segmentation's down and depth's up, and are far from it: for a depth
# loss of 0.07 that place is at 7.
#
# Read the figure with two things in mind. First, DWA and equal weighting are identical in the first two
# epochs, because DWA *is* equal weighting there. Second, another random seed changes the losses of such a short
# run about as much as another rule does. This cell shows how the rules work, not which one is best.
#
# ### What long runs say
#
# The paper trained MTAN for 200 epochs under each rule. Its Table 2, seven classes and inverse depth on
# Cityscapes:

# %%
published = {"equal": (53.04, 0.0144), "uncertainty": (53.86, 0.0144), "dwa": (53.29, 0.0144)}
print(f"{'MTAN with':<12} {'mean IoU, %':>12} {'abs. error':>11}")
for name, (mean_iou, absolute_error) in published.items():
    print(f"{name:<12} {mean_iou:>12.2f} {absolute_error:>11.4f}")
values = [mean_iou for mean_iou, _ in published.values()]
print(f"largest minus smallest: {max(values) - min(values):.2f} points of mean IoU")

# %% [markdown]
# Less than one point of mean IoU, and no difference in the depth error. The paper reads this as a strength
# of MTAN: the masks let each task take what it needs, so the weights matter less. It is fair to add what
# the table does not show. There is one run per cell and no spread over seeds, so a difference of 0.8 points
# may well be chance. And a network that hardly reacts to the weighting is not evidence that DWA is a good
# weighting.
#
# ## Summary
#
# The plain sum of losses lets units decide which task is served. DWA shifts weight to the task that
# improves more slowly, by a softmax over the ratios of the last two epoch means, and stays close to equal
# weights at $T = 2$. Uncertainty weighting learns a variance for each task, settles at $\lambda_k =
# 1/(2\mathcal{L}_k)$ and so evens out the units.
#
# ## Quiz
#
# 1. Task A goes from 4.0 to 2.0, task B from 0.010 to 0.009. Which one gets more weight under DWA?
#    <details><summary>Answer</summary>
#
#    B: its ratio is 0.9, that of A is 0.5. The size of the losses does not enter.
#
#    </details>
# 2. Why does DWA multiply the softmax by $K$?
#    <details><summary>Answer</summary>
#
#    So that the weights sum to $K$, as equal weights do, and the total keeps its size. It does not change
#    which task gets more.
#
#    </details>
# 3. DWA divided by the temperature *after* the softmax. What would go wrong?
#    <details><summary>Answer</summary>
#
#    All weights would shrink by the same factor $T$: the shares would not change, and the effective
#    learning rate would. The temperature must act on the ratios.
#
#    </details>
# 4. The total under uncertainty weighting is $-0.7$. Is the run broken?
#    <details><summary>Answer</summary>
#
#    No. Each term is $\frac{1}{2} + \frac{1}{2}\ln\mathcal{L}_k$ at balance, negative for small losses. A
#    loss $\mathcal{L}_k$ itself below zero would be a fault.
#
#    </details>
# 5. A run with DWA is stopped after epoch 5 and goes on with a fresh `DynamicWeightAverage`. What differs?
#    <details><summary>Answer</summary>
#
#    Its weights are 1 for two more epochs, so the run ends with other numbers. That is why the two last
#    means and the count are buffers.
#
#    </details>
#
# ## What comes next
#
# Chapter 06 puts the network, the losses and the weighting into the full training loop, with checkpoints
# from which a run that was killed goes on.
#
# ## Sources
#
# * Liu, Johns, Davison, *End-to-End Multi-Task Learning with Attention*, CVPR 2019, section 4.1.3 (DWA) and
#   Table 2; version 1 with $T = 20$: https://arxiv.org/abs/1803.10704
# * Kendall, Gal, Cipolla, *Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and
#   Semantics*, CVPR 2018: https://arxiv.org/abs/1705.07115
