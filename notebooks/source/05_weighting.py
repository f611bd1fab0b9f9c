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
# **Time:** about 35 minutes of reading, {{exercise_minutes}} minutes of exercises, one minute of computing
# on a laptop or a T4.
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
from course_utils.exercises import check, compare, progress
from course_utils.sliders import sliders

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
# In code, the $K$ losses of a batch are a tensor of shape [K], and so are the weights.

# %% [markdown]
# {{exercise 05.weighted_sum}}
#
# Write the equation as a function. It gets the losses and the weights, both of shape [K], for any number of
# tasks, and returns the total: a tensor with one number, through which gradients flow back to the losses.


# %%
def weighted_sum(losses, weights):
    ### BEGIN SOLUTION
    return (weights * losses).sum()
    ### END SOLUTION


# %%
weighted_sum = check("05.weighted_sum", weighted_sum)

# %% [markdown]
# "No weights" means $\lambda_k = 1$, which looks neutral. It is not. Cross-entropy is counted in nats and
# starts near $\ln 7 \approx 1.95$ for seven classes. The depth loss is counted in units of inverse depth,
# which is 0.26 for a wall at seven metres. Nobody chose these two units so that they can be added.
#
# **Predict.** An untrained network sees eight street scenes. How many times larger is the loss of
# segmentation than that of depth? Write your guess into the first line, then run the cell.

# %%
### BEGIN SOLUTION
guess = 7
### END SOLUTION
train = data.load("synthcity", "train", size=(64, 128), classes=7, length=48)
batch = torch.utils.data.default_collate([train[index] for index in range(8)])

torch.manual_seed(0)
model = models.build("mtan", todo, width=1 / 16)
predictions = model(batch["image"])
losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
compare("05.first_losses", guess, losses[0] / losses[1])

# %% [markdown]
# The optimizer does not see the losses, it sees their gradients. So the fair question is how strongly each
# task pulls at the weights that both share. We ask it of the shared encoder: the length of the gradient of
# each loss, one at a time.
#
# **Predict.** Which task pulls harder at the shared encoder: `"segmentation"` or `"depth"`?

# %%
### BEGIN SOLUTION
guess = "depth"
### END SOLUTION
shared = [weight for weight in model.encoder.parameters() if weight.dim() == 4]
lengths = {}
for task, loss in zip(todo, losses, strict=True):
    gradients = torch.autograd.grad(loss, shared, retain_graph=True)
    lengths[task.name] = torch.stack([gradient.norm() for gradient in gradients]).norm()
compare("05.stronger_pull", guess, max(lengths, key=lengths.get))

# %%
for task, loss in zip(todo, losses, strict=True):
    print(f"{task.name:<13} loss {loss:.2f}")
print(f"gradient length, depth / segmentation: {lengths['depth'] / lengths['segmentation']:.1f}")

# %% [markdown]
# The smaller loss pulls harder. So a loss's size does not even tell how much its task is listened to.
#
# Now suppose that somebody stores inverse depth in another unit, a thousand times larger. Nothing about the
# street has changed, and nothing about the difficulty of the task.
#
# **Predict.** Inverse depth in the new unit: what happens to the share of the depth task in the total?

# %%
for name, unit in {"as stored": 1.0, "a thousand times larger": 1000.0}.items():
    rescaled = losses.detach() * torch.tensor([1.0, unit])
    share = rescaled[1] / weighted_sum(rescaled, torch.ones(K))
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
        return weighted_sum(losses, self.weights)

    def end_epoch(self, mean_losses):
        pass  # equal weights learn nothing from the past


print("total of 2.0 and 0.5:", Equal(2)(torch.tensor([2.0, 0.5])).item())

# %% [markdown]
# A **buffer** is a tensor that belongs to a module but is not trained: it moves to the GPU together with
# the module, and it is part of the module's `state_dict`, the table of tensors that a checkpoint keeps. These
# ones are always the same and need not be kept; that is what `persistent=False` says.
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

# %% [markdown]
# {{exercise 05.dwa_weights}}
#
# Write the two equations as a function. It gets the mean losses of the last epoch and of the one before it,
# both of shape [K] for any number of tasks, and returns the K weights.
#
# One corner: a task that has no valid pixel in a whole epoch has the mean loss 0 there. If that was the epoch
# before last, there is no ratio; count the task as unchanged, $w = 1$.
#
# <details><summary>Stuck?</summary>
#
# Begin with the ratio, and compare it with the table's first row. `torch.softmax` does the exponentials and
# their sum in one call; it wants to know along which dimension. For the corner look at `torch.where`.
# Everything at once: [the solutions](solutions/05_weighting.ipynb).
#
# </details>


# %%
def dwa_weights(last, before_last, temperature):
    ### BEGIN SOLUTION
    ratio = torch.where(before_last == 0, torch.ones_like(last), last / before_last)
    return len(ratio) * torch.softmax(ratio / temperature, dim=0)
    ### END SOLUTION


# %%
dwa_weights = check("05.dwa_weights", dwa_weights)

# %%
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
# ### What the temperature does
#
# The first version of the paper used $T = 20$.
#
# **Predict.** Two tasks at $T = 20$. The first one halves its loss in an epoch ($w_1 = 0.5$), the second one
# stands still ($w_2 = 1$). What weight $\lambda_1$ does the first task get?

# %%
### BEGIN SOLUTION
guess = 0.99
### END SOLUTION
compare("05.mild_temperature", guess, dwa_weights(torch.tensor([0.5, 1.0]), torch.ones(2), 20.0)[0])

# %% [markdown]
# **Predict.** The second task still stands still. Sketch $\lambda_1$ against $w_1$ from 0 to 2 for $T = 0.2$,
# $T = 2$ and $T = 20$. Where do the three curves cross?


# %%
def weight_of_first(rate, temperature):
    """DWA's weight of a task with this rate of descent, beside one that stands still."""
    return dwa_weights(torch.tensor([rate, 1.0]), torch.ones(2), temperature)[0]


def draw_temperature(temperature=2.0):
    rates = torch.linspace(0, 2, 81)
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for shown, style, colour in ((0.2, ":", "0.5"), (20.0, "--", "0.5"), (temperature, "-", "black")):
        curve = [weight_of_first(rate, shown) for rate in rates]
        axes.plot(rates, curve, style, color=colour, label=f"T = {shown:g}")
    axes.set(xlabel="rate of descent of the first task, $w_1$ (no unit)", ylabel="its weight $\\lambda_1$")
    axes.set_title("Dynamic weight average of two tasks, $w_2 = 1$")
    axes.legend(frameon=False)
    plots.show(
        figure,
        "Three rising curves of the first task's weight against its rate of descent; all cross at rate 1, weight 1. "
        f"In grey T = 0.2, a steep S from 0 to 2, and T = 20, almost flat; in black T = {temperature:g}.",
    )
    print(f"T = {temperature:g}: a task that halves its loss gets weight {weight_of_first(0.5, temperature):.4f}")


# %%
draw_temperature()

# %% [markdown]
# Now move $T$ yourself. From which temperature on would you call the weights equal?

# %%
sliders(draw_temperature, temperature=(0.1, 20.0, 0.1))

# %%
for temperature in (0.2, 2.0, 20.0):
    print(f"T = {temperature:<4g} {weight_of_first(0.5, temperature):.4f}")

# %% [markdown]
# All curves meet at $w_1 = 1$, where both tasks descend alike. A low temperature gives almost everything to
# the slower task. At the paper's $T = 2$ the weights move by a few per cent only; at $T = 20$ they hardly
# move at all. Keep that in mind when two training runs, with and without DWA, look alike.
#
# **To think through (3 minutes).** Near $w = 1$ the weight of the first of two tasks is about
# $1 + (w_1 - w_2) / (2T)$. Derive it, and check it against the last line printed above.
#
# <details><summary>One answer</summary>
#
# With two tasks the softmax is a sigmoid: $\lambda_1 = 2\,\sigma\left((w_1 - w_2)/T\right)$. Near zero
# $\sigma(x) \approx \frac{1}{2} + \frac{x}{4}$, so $\lambda_1 \approx 1 + (w_1 - w_2)/(2T)$.
#
# For $w_1 = 0.5$ and $T = 20$: $1 - 0.5/40 = 0.9875$, as printed. For $T = 2$ it gives 0.875, and the true
# weight is 0.8756. For $T = 0.2$ it gives $-0.25$, which is no weight at all: there $(w_1 - w_2)/T$ is no
# longer small.
#
# </details>
#
# ### The module
#
# DWA has to remember two epochs. In the first two epochs there is nothing to compare, so the weights are 1.
# And a run that is stopped and started again must go on with the same weights, so all that the module
# remembers has to be part of its `state_dict`.

# %% [markdown]
# {{exercise 05.dwa_module}}
#
# Complete the three parts. `forward` is that of `Equal`, and `dwa_weights` is yours.
#
# * `weights`, of shape [K]: ones until two epochs have ended, then the weights from the last two epochs.
# * `end_epoch` gets the mean losses of the epoch that has just ended, of shape [K]. They may still hang on a
#   graph, and the caller may use the same tensor again for the next epoch. Neither should matter.
# * The state: a fresh module that loads the `state_dict` of another one has the same weights, now and after
#   further epochs. Nothing in it is trained.
#
# <details><summary>Stuck?</summary>
#
# Write down what the module has to know to answer `weights` in epoch 7: two sets of losses, and whether there
# are two yet. Give each a buffer in `__init__`, with the shape that it keeps, and let `end_epoch` fill them
# (`buffer.copy_(values)`). Which of the two sets has to move first? The whole class:
# [the solutions](solutions/05_weighting.ipynb).
#
# </details>


# %%
class DynamicWeightAverage(Equal):
    def __init__(self, count, temperature=2.0):
        super().__init__(count)
        self.temperature = temperature
        ### BEGIN SOLUTION
        # The older epoch first. The count is a tensor too: a plain number would not be in the state_dict.
        self.register_buffer("mean_losses", torch.zeros(2, count, dtype=torch.float64))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))
        ### END SOLUTION

    @property
    def weights(self):
        ### BEGIN SOLUTION
        if self.epochs < 2:
            return self.ones
        before_last, last = self.mean_losses
        return dwa_weights(last, before_last, self.temperature).to(self.ones.dtype)
        ### END SOLUTION

    def end_epoch(self, mean_losses):
        ### BEGIN SOLUTION
        with torch.no_grad():
            self.mean_losses.copy_(torch.stack([self.mean_losses[1], mean_losses.to(self.mean_losses)]))
        self.epochs += 1
        ### END SOLUTION


# %%
DynamicWeightAverage = check("05.dwa_module", DynamicWeightAverage)

# %% [markdown]
# A made-up history shows it at work. Segmentation falls by 5 % in each epoch. Depth falls by 30 % an epoch
# for five epochs, and then stands still.
#
# **Predict.** In which epoch does depth get more weight than segmentation for the first time? Epochs count
# from 1, and depth takes its last step down between epochs 5 and 6.


# %%
def made_up(segmentation_falls=5, depth_falls=30):
    """Losses [10, 2] that fall by so many per cent an epoch; depth stands still from epoch 6 on."""
    steps = torch.arange(10)
    segmentation_loss = 2.0 * (1 - segmentation_falls / 100) ** steps
    depth_loss = 0.4 * (1 - depth_falls / 100) ** steps.clamp(max=5)
    return torch.stack([segmentation_loss, depth_loss], dim=1)


def weights_over_time(history, temperature=2.0):
    """The weights [epochs, K] that DWA uses in each epoch of a history [epochs, K]."""
    dwa, rows = DynamicWeightAverage(history.shape[1], temperature), []
    for mean_losses in history:
        rows.append(dwa.weights.clone())
        dwa.end_epoch(mean_losses)
    return torch.stack(rows)


# %%
### BEGIN SOLUTION
guess = 8
### END SOLUTION
over_time = weights_over_time(made_up())
compare("05.depth_overtakes", guess, 1 + (over_time[:, 1] > over_time[:, 0]).nonzero()[0])


# %%
def draw_history(segmentation_falls=5, depth_falls=30, temperature=2.0):
    history = made_up(segmentation_falls, depth_falls)
    weights = weights_over_time(history, temperature)
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    for values, axis in zip((history / history[0], weights), axes, strict=True):
        for task, line, style in zip(todo, values.T, ("-", "--"), strict=True):
            axis.plot(range(1, 11), line, style, marker="o", color=plots.task_colour(task), label=task.name)
        axis.set(xlabel="epoch", xticks=range(1, 11))
    axes[0].set(ylabel="loss / loss in epoch 1", ylim=(0, None))
    axes[0].legend(frameon=False)
    axes[1].set(ylabel="weight $\\lambda$")
    axes[1].axhline(1, color="0.6", linewidth=1, zorder=0)
    figure.supxlabel("made-up losses", fontsize=9, color="0.4")
    plots.show(
        figure,
        f"Left, two made-up losses over ten epochs: segmentation falls by {segmentation_falls} % an epoch, depth by "
        f"{depth_falls} % until epoch 6. Right, their weights under DWA with T = {temperature:g}: 1 in epochs 1 and 2, "
        "then less for the task that falls faster. From epoch 8 on they know that depth stands still.",
    )
    print(f"weights in epoch 3: segmentation {weights[2, 0]:.3f}, depth {weights[2, 1]:.3f}")


# %%
draw_history()
for epoch in (1, 2, 3, 7, 8, 10):
    segmentation_weight, depth_weight = over_time[epoch - 1]
    print(f"epoch {epoch:>2}  segmentation {segmentation_weight:.3f}  depth {depth_weight:.3f}")

# %% [markdown]
# Two epochs of equal weights, then the faster task gets less. Depth makes its last step in epoch 6, so the
# weights of epoch 7 still punish it, and from epoch 8 on it is the one that stands still and gets more.
#
# Move the two losses and the temperature. Can you find losses whose weights are the same all the time? What
# happens when segmentation *rises* (falls by less than nothing)?

# %%
sliders(draw_history, segmentation_falls=(-10, 60, 5), depth_falls=(-10, 60, 5), temperature=(0.1, 20.0, 0.1))

# %% [markdown]
# **The losses that DWA is given must be unweighted.** Multiplied by their weights, a loss would also shrink
# because its weight shrank, and the rule would react to itself. The training loop of section 5 therefore
# keeps the plain means.
#
# **To think through (5 minutes).** Give `end_epoch` the *weighted* losses in `weights_over_time`. What
# happens to the weights after epoch 8, when depth no longer changes?
#
# <details><summary>One answer</summary>
#
# Call `dwa.end_epoch(mean_losses * dwa.weights)`. With the plain losses the weights stay the same from epoch
# 8 on, since both rates do. With the weighted ones they go on moving: depth's weight is 1.013 in epoch 8,
# 1.046 in epoch 9 and 1.029 in epoch 10. A change of weight looks to the rule like a change of speed.
#
# </details>
#
# Now the check that the module here and the one in the package give the same.

# %%
ours, theirs = DynamicWeightAverage(3, temperature=2.0), weighting.DynamicWeightAverage(3, temperature=2.0)
generator = torch.Generator().manual_seed(0)
same = []
for _ in range(5):
    batch_losses, mean_losses = torch.rand(2, 3, generator=generator)
    same.append(torch.allclose(ours(batch_losses), theirs(batch_losses)))
    same.append(torch.allclose(ours.weights, theirs.weights))
    ours.end_epoch(mean_losses)
    theirs.end_epoch(mean_losses)
print("same as the package in five epochs:", all(same))
print("the weights sum to K = 3:", torch.isclose(ours.weights.sum(), torch.tensor(3.0)).item())

# %% [markdown]
# And the check that nothing is forgotten: a fresh module that loads the state of the old one gives the same
# weights.

# %%
resumed = DynamicWeightAverage(3, temperature=2.0)
print("before loading:", resumed.weights)
resumed.load_state_dict(ours.state_dict())
print("after loading, same as the old one:", torch.allclose(resumed.weights, ours.weights))

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
# the task noisy and its loss no longer counts. The second term makes that expensive. What multiplies the loss
# is the weight: $\lambda_k = 1 / (2 \, e^{s_k})$.
#
# By hand: with $s = -0.5$ the weight is $\frac{1}{2} e^{0.5} = 0.824$, and for the losses 2.0 and 0.5 the
# total is $0.824 \cdot 2.5 - 0.5 = 1.561$.

# %% [markdown]
# {{exercise 05.uncertainty}}
#
# Complete the three parts.
#
# * The state: one learned number $s_k$ for each task, all starting at $-0.5$.
# * `weights`, of shape [K]: what multiplies the losses now. They are there to be looked at, so no gradient
#   hangs on them.
# * `forward` gets the losses, of shape [K], and returns the total: a tensor with one number. Its gradient
#   must reach the losses *and* the learned numbers.
#
# <details><summary>Stuck?</summary>
#
# A tensor becomes a learned part of a module as an `nn.Parameter` that is assigned to an attribute. Then
# write `forward` from the equation, and try it on the numbers above. If the check says that a gradient is
# missing, ask which of your lines cuts the graph. The whole class:
# [the solutions](solutions/05_weighting.ipynb).
#
# </details>


# %%
class Uncertainty(Equal):
    def __init__(self, count):
        super().__init__(count)
        ### BEGIN SOLUTION
        self.log_variances = nn.Parameter(torch.full((count,), -0.5))
        ### END SOLUTION

    @property
    def weights(self):
        ### BEGIN SOLUTION
        return (0.5 * torch.exp(-self.log_variances)).detach()
        ### END SOLUTION

    def forward(self, losses):
        ### BEGIN SOLUTION
        # Not self.weights, which is detached: then s would be pulled by its cost alone.
        return (0.5 * torch.exp(-self.log_variances) * losses + 0.5 * self.log_variances).sum()
        ### END SOLUTION


# %%
Uncertainty = check("05.uncertainty", Uncertainty)

# %%
losses = torch.tensor([2.0, 0.5])
ours, theirs = Uncertainty(2), weighting.Uncertainty(2)
print(f"by hand 1.561, ours {ours(losses):.3f}")
print("same as the package:", torch.allclose(ours(losses), theirs(losses)))

# %% [markdown]
# Why learn the logarithm of the variance, and not the variance? A variance must stay above 0, and a step of
# gradient descent might take it below. Its logarithm may be any number.
#
# ### Where the weights go
#
# Suppose that the network has learned what it can and the losses stay as they are. The $s_k$ go on learning
# until the two terms balance. Where is that?

# %% [markdown]
# {{exercise 05.settled_weights}}
#
# Take paper: set the derivative of a task's two terms with respect to $s_k$ to zero. Then write the function
# that gets the losses, of shape [K], and returns the weights $\lambda_k$, of shape [K], at which uncertainty
# weighting settles.
#
# <details><summary>Stuck?</summary>
#
# Write $1 / e^{s}$ as $e^{-s}$; then both terms are easy to differentiate. The equation that you get holds
# $e^{s_k}$ and $\mathcal{L}_k$ and nothing else. Last, put it into $\lambda_k = 1 / (2 \, e^{s_k})$.
#
# </details>


# %%
def settled_weights(losses):
    ### BEGIN SOLUTION
    # -L / (2 e^s) + 1/2 = 0, so e^s = L; and the weight is 1 / (2 e^s).
    return 1 / (2 * losses)
    ### END SOLUTION


# %%
settled_weights = check("05.settled_weights", settled_weights)

# %% [markdown]
# Theory against practice: for fixed losses, gradient descent on $s$ alone must end at your formula. And each
# task's contribution to the total, its weight times its loss?

# %%
optimizer = torch.optim.SGD(ours.parameters(), lr=0.5)
for _ in range(200):
    optimizer.zero_grad()
    ours(losses).backward()
    optimizer.step()
print("weights after descent:", ours.weights)
print("by the formula:       ", settled_weights(losses))
print("weight times loss:    ", ours.weights * losses)

# %% [markdown]
# At balance every task contributes the same, whatever its unit. So this rule does remove the difference in
# size.
#
# <details><summary>The derivation, to compare with yours</summary>
#
# $$-\frac{\mathcal{L}_k}{2 \, e^{s_k}} + \frac{1}{2} = 0 \quad \Rightarrow \quad
#   e^{s_k} = \mathcal{L}_k, \qquad
#   \lambda_k = \frac{1}{2 \, e^{s_k}} = \frac{1}{2 \mathcal{L}_k}$$
#
# So $\lambda_k \mathcal{L}_k = \frac{1}{2}$ for every task.
#
# </details>
#
# The total may fall below zero, since $s_k$ may.
#
# **Predict.** At balance, below which loss $\mathcal{L}_k$ is a task's part of the total, both terms
# together, negative? Put $e^{s_k}$ at balance back into them, or guess.

# %%
### BEGIN SOLUTION
guess = 0.37
### END SOLUTION
candidates = torch.linspace(0.01, 2, 1000)
settled = settled_weights(candidates)
terms = settled * candidates - torch.log(2 * settled) / 2  # s = -ln(2 lambda)
compare("05.negative_term", guess, candidates[terms < 0].max())

# %%
s = torch.linspace(-4, 2, 121)
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for loss, task in zip(torch.tensor([1.5, 0.05]), todo, strict=True):
    term = loss / (2 * s.exp()) + s / 2
    weight = settled_weights(loss[None])[0]
    best = -torch.log(2 * weight)
    lowest = weight * loss + best / 2
    axes.plot(s, term, color=plots.TASK_COLOURS[task.target], label=f"{task.name}, loss {loss:g}")
    axes.plot(best, lowest, "o", color=plots.TASK_COLOURS[task.target])
    print(f"loss {loss:<4g}  best s = {best:.2f}, weight {weight:.2f}, term {lowest:.2f}")
axes.axhline(0, color="grey", linewidth=0.8)
axes.set(xlabel="log variance $s$", ylabel="the task's term in the total", ylim=(-2, 4))
axes.legend(frameon=False)
plots.show(
    figure,
    "A task's term against s for a loss of 1.5 and one of 0.05. Each is a valley with a dot at its lowest "
    "point, at s = 0.41 and s = -3.00. The valley of the smaller loss lies below zero.",
)

# %% [markdown]
# At balance a task's part is $\frac{1}{2} + \frac{1}{2} \ln \mathcal{L}_k$. **A negative total is no fault
# here.** It also means that totals of different weightings cannot be compared with each other; compare the
# unweighted losses or, better, the metrics.
#
# **To think through (4 minutes).** The weights are learned with the same optimizer and learning rate as the
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
# Now we train the same small MTAN from the same first weights, once under each rule, with the three modules
# of this chapter. Four epochs of twelve steps: enough for DWA to leave its two equal epochs behind, and no
# more. The loop is the plain one; chapter 06 builds the full one. Its heart is one epoch.

# %% [markdown]
# {{exercise 05.train_epoch}}
#
# Write one epoch of training. For each batch of the loader:
#
# * the model's predictions for `batch["image"]`, a dict by `task.name`;
# * the losses of all tasks in `todo`, each from `task.loss(prediction, batch[task.target])`;
# * one step of the optimizer on the total that the weighting, `balance`, makes of them.
#
# Then the mean of each task's loss over the batches, unweighted and off the graph: a tensor of shape [K].
# When the epoch is over, tell it to the weighting (`balance.end_epoch`) and return it.
#
# <details><summary>Stuck?</summary>
#
# `torch.stack` turns a list of K losses into a tensor of shape [K]. A step is three calls: clear the old
# gradients, compute the new ones, move. `losses.detach()` is the same numbers without the graph. The whole
# function: [the solutions](solutions/05_weighting.ipynb).
#
# </details>


# %%
def train_epoch(model, todo, balance, optimizer, loader):
    ### BEGIN SOLUTION
    mean_losses = torch.zeros(len(todo))
    for batch in loader:
        predictions = model(batch["image"])
        losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        mean_losses += losses.detach() / len(loader)  # unweighted, and without the batch's graph
    balance.end_epoch(mean_losses)
    return mean_losses
    ### END SOLUTION


# %%
train_epoch = check("05.train_epoch", train_epoch)


# %%
def train_with(rule, epochs=4):
    torch.manual_seed(0)
    model = models.build("mtan", todo, width=1 / 16)
    balance = rule(K)
    optimizer = torch.optim.Adam([*model.parameters(), *balance.parameters()], lr=5e-3)
    loader = torch.utils.data.DataLoader(train, batch_size=4)
    names = [task.name for task in todo]
    history = []
    for _ in range(epochs):
        weights = dict(zip(names, balance.weights.tolist(), strict=True))
        losses = train_epoch(model, todo, balance, optimizer, loader)
        history.append({"weights": weights, "losses": dict(zip(names, losses.tolist(), strict=True))})
    return history


# %% [markdown]
# **Predict.** Uncertainty starts with the weight $\frac{1}{2} e^{0.5} = 0.82$ for both tasks. In which
# direction does each of its two weights move? And how far from 1 will those of DWA be in epoch 4?

# %%
rules = {"equal": Equal, "dwa": DynamicWeightAverage, "uncertainty": Uncertainty}
runs = {name: train_with(rule) for name, rule in rules.items()}
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
# DWA's weights stay close to 1: both losses still fall, at similar rates, and $T = 2$ is mild. Uncertainty's
# have begun their way to $1 / (2 \mathcal{L}_k)$, segmentation's down and depth's up, and are far from it:
# for a depth loss of 0.07 that place is at 7.
#
# Read the figure with two things in mind. First, DWA and equal weighting are identical in the first two
# epochs, because DWA *is* equal weighting there. Second, another random seed changes the losses of such a
# short run about as much as another rule does. This cell shows how the rules work, not which one is best.
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
# 1. Task A goes from 4.0 to 2.0, task B from 0.010 to 0.009. Which one gets more weight under DWA, and why?
#
#    * a) A, because its loss is the larger one.
#    * b) A, because it makes more progress and should be helped on.
#    * c) B, because its ratio of the two losses is the larger one.
#    * d) B, because its loss is small and has to be made as large as that of A.
#
#    <details><summary>Answer</summary>
#
#    **c.** The ratios are 0.5 and 0.9, and the softmax gives more to the larger. a: the sizes cancel in the
#    ratio. b: DWA helps those that lag, not those that lead. d: right task, wrong reason; the same B at a
#    thousand times its size would get the same weight.
#
#    </details>
# 2. Why does DWA multiply the softmax by $K$?
#
#    * a) So that the total, and with it the step size, stays what it is with equal weights.
#    * b) So that every weight is at least 1.
#    * c) So that the slower task gets a larger share.
#    * d) So that the weights do not depend on the unit of a loss.
#
#    <details><summary>Answer</summary>
#
#    **a.** The weights sum to $K$, as $K$ ones do. b: one weight above 1 needs another one below. c: a factor
#    for all does not change the shares. d: that is the work of the ratio.
#
#    </details>
# 3. Somebody divides by the temperature *after* the softmax. What goes wrong?
#
#    * a) Nothing: a division may come first or last.
#    * b) The weights become more equal than intended.
#    * c) The slower task gets less weight than the faster one.
#    * d) All weights shrink alike, so the shares stay and the learning rate changes in effect.
#
#    <details><summary>Answer</summary>
#
#    **d.** A common factor of all weights is a factor of the gradient. a: the exponential is not linear, so
#    the order counts. b: with $T$ outside, nothing brings the shares closer together. c: the order of the
#    shares is that of the ratios, with any positive factor.
#
#    </details>
# 4. The total under uncertainty weighting is $-0.7$. What do you conclude?
#
#    * a) A loss has become negative, so there is a fault in it.
#    * b) Nothing bad: small losses with small variances make it negative.
#    * c) The learning rate of the variances is too large.
#    * d) The run is better than one with equal weights, whose total is $0.5$.
#
#    <details><summary>Answer</summary>
#
#    **b.** At balance a task's part is $\frac{1}{2} + \frac{1}{2}\ln\mathcal{L}_k$. a: the cost $s_k / 2$ is
#    negative, the loss need not be. c: the place of balance does not depend on the learning rate. d: the
#    totals of two rules are different quantities; compare the unweighted losses or the metrics.
#
#    </details>
# 5. A run with DWA is stopped after epoch 5 and goes on with a fresh `DynamicWeightAverage`. What differs?
#
#    * a) Nothing: DWA computes its weights anew in every epoch.
#    * b) Only epoch 6: then the last losses are known again.
#    * c) Its weights are 1 for two more epochs, and the run ends with other numbers.
#    * d) The first weights are not numbers, since 0 / 0 is none.
#
#    <details><summary>Answer</summary>
#
#    **c.** It has forgotten its two epochs; that is why they and the count belong into the `state_dict`. a:
#    it computes them from what it remembers. b: it takes two epochs until there are two to compare. d: as
#    long as there is nothing to compare, the weights are 1.
#
#    </details>
#
# This is what you have done so far, in all chapters:

# %% tags=["nbval-ignore-output", "why:shows-progress"]
progress()

# %% [markdown]
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
