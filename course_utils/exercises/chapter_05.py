"""Chapter 05, weighting: what its exercises expect and what its predictions explain."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_utils import tasks, weighting
from course_utils.exercises.exercise import NotYet, exercise, expect, predict
from course_utils.exercises.expectations import (
    call,
    expect_callable,
    expect_close,
    expect_module_class,
    expect_tensor,
    is_close,
)
from course_utils.tasks import Task

predict(
    "05.first_losses",
    "Cross-entropy counts nats and starts near ln 7, inverse depth is small everywhere. The two units were never "
    "made to be added.",
    unit="times",
    factor=1.5,
)
predict(
    "05.stronger_pull",
    {
        "segmentation": "The larger loss need not have the larger gradient: a loss says how high the ground is, a "
        "gradient how steep. Add a constant to a loss, and it grows while its gradient stays.",
        "depth": "Its loss is the smaller one by far, and still its slope is the steeper one. So the size of a loss "
        "does not even tell how much its task is listened to.",
    },
)
predict(
    "05.mild_temperature",
    "The rates 0.5 and 1 become 0.025 and 0.05 when they are divided by 20, and the exponentials of two such numbers "
    "are nearly the same. At T = 20 DWA is almost equal weighting.",
    within=0.008,
    digits=4,
)
predict(
    "05.depth_overtakes",
    "Depth makes its last step in epoch 6. The weights of epoch 7 come from epochs 5 and 6, so they still take it for "
    "the fast one. Only epoch 8 knows that epochs 6 and 7 were alike: DWA looks one epoch back, and always lags.",
    within=0,
    digits=1,
)
predict(
    "05.negative_term",
    "Where the two terms balance, a task adds 1/2 + (ln L) / 2, which is 0 at L = 1/e. Many guess 1, where the "
    "logarithm turns negative; but the 1/2 has to be made up for first.",
    factor=1.12,
)


def weighted_sum(losses: Tensor, weights: Tensor) -> Tensor:
    """The total: every loss times its weight, summed."""
    return (weights * losses).sum()


@exercise(
    "05.weighted_sum",
    "the weighted sum",
    minutes=1,
    trains="reading a sum over k as one line of tensor code",
    own=lambda: weighted_sum,
)
def judge_weighted_sum(attempt: Any) -> None:
    expect_callable(attempt, ["losses", "weights"])
    for count in (2, 3, 7, 1):
        losses, weights = torch.rand(2, count) + 0.2
        losses.requires_grad_()
        total = call(attempt, losses, weights)
        expect_tensor(total, "the total", like=losses, shape=[], meaning="one number, a tensor of shape []")
        expected = weighted_sum(losses, weights)
        _refuse(total, expected, [
            (losses.sum(), "the weights make no difference: this is the plain sum of the losses."),
            (expected / count, "this is the mean over the tasks; the equation has a sum, and no division."),
            (expected / weights.sum(), "it is divided by the sum of the weights; the equation does not do that."),
            ((losses + weights).sum(), "each weight is added to its loss; in the equation it multiplies."),
            (weights.sum() * losses.sum(), "every loss meets every weight; each should meet only its own."),
        ])  # fmt: skip
        expect_close(total, expected, "the total is not the sum of each loss times its weight.")
        expect(
            total.requires_grad,
            "no gradient can flow back through the total. It must be computed from the losses as they are given.",
        )


@exercise(
    "05.dwa_weights",
    "the weights of DWA",
    minutes=8,
    trains="turning an equation into code, the softmax over tasks, the temperature",
    own=lambda: weighting.dwa_weights,
)
def judge_dwa_weights(attempt: Any) -> None:
    own = weighting.dwa_weights
    expect_callable(attempt, ["last", "before_last", "temperature"])
    for count, temperature in ((3, 0.5), (2, 2.0), (5, 3.0), (7, 2.0), (1, 2.0)):
        last, before_last = torch.rand(2, count) + 0.1
        weights = call(attempt, last, before_last, temperature)
        expect_tensor(weights, "the result", like=last, shape=[count], meaning="[K], one weight per task")
        expected, ones = own(last, before_last, temperature), torch.ones(count)
        _refuse(weights.sum(), torch.tensor(float(count)), [
            (1.0, "the weights sum to 1; the equation has a factor before the exponentials."),
            (2.0, "the weights sum to 2, whatever the number of tasks is."),
            (count / temperature, "the temperature divides the finished weights; it should divide the rates w."),
            (count * temperature, "the temperature multiplies the finished weights; it should divide the rates w."),
        ])  # fmt: skip
        _refuse(weights, expected, [
            (own(before_last, last, temperature), "the ratio is upside down: a falling loss should have a w below 1."),
            (own(-last, before_last, temperature), "the task that improves more slowly gets less; a sign is turned."),
            (own(last, before_last, 1 / temperature), "the temperature multiplies w; the higher it is, the more equal "
             "the weights should become."),
            (own(last, before_last, 1.0), "the temperature makes no difference."),
            (own(last, ones, temperature), "the sizes of the losses count; only their rates of descent should."),
            (own(last - before_last, ones, temperature), "w is a difference here, which has the unit of the loss; the "
             "equation has a ratio."),
            (_shares(last / before_last / temperature), "these are the shares of w themselves; the equation takes "
             "their exponentials first."),
        ])  # fmt: skip
        expect_close(weights.sum(), float(count), "the weights do not sum to the number of tasks.")
        expect_close(weights, expected, "the weights sum to K, but are not K times the softmax of w / T.")
    _judge_tasks_without_loss(attempt)


def _judge_tasks_without_loss(attempt: Callable) -> None:
    for lost in (0.0, 0.7):
        last, before_last = torch.tensor([lost, 1.0, 0.9]), torch.tensor([0.0, 2.0, 1.1])
        weights = call(attempt, last, before_last, 2.0)
        where = "both epochs" if lost == 0 else "the epoch before last"
        expect(
            not weights.isnan().any(),
            f"the weights hold NaN, not a number, where a task has loss 0 in {where}; it should count as unchanged.",
        )
        expect_close(
            weights,
            weighting.dwa_weights(last, before_last, 2.0),
            f"a task that has loss 0 in {where} does not count as unchanged.",
        )


@exercise(
    "05.dwa_module",
    "DWA with a memory",
    minutes=12,
    trains="buffers and state_dict, what a module should remember, off-by-one in epochs",
    own=lambda: weighting.DynamicWeightAverage,
)
def judge_dwa_module(attempt: Any) -> None:
    expect_module_class(attempt)
    expect_callable(attempt, ["count", "temperature"])
    for count in (3, 2, 5, 1):
        history = torch.rand(6, count) + 0.5
        _judge_first_epochs(attempt(count, temperature=2.0), history)
        _judge_later_epochs(attempt, history)
    history = torch.rand(6, 3) + 0.5
    _judge_memory(attempt, history)
    _judge_resuming(attempt, history)


def _judge_first_epochs(module: Any, history: Tensor) -> None:
    expect(
        not any(parameter.requires_grad for parameter in module.parameters()),
        "what it remembers is a parameter, which an optimizer would train; it should be a buffer.",
    )
    count = history.shape[1]
    for when, reason, means in (
        ("before the first epoch", "there is nothing to compare yet", history[0]),
        ("after one epoch", "there is no second one to compare it with", history[1]),
    ):
        weights = _weights(module)
        expect_tensor(weights, f"`weights` {when}", shape=[count], meaning="[K], one weight per task")
        expect_close(weights, torch.ones(count), f"{when} the weights are not all 1, though {reason}.")
        call(module.end_epoch, means)


def _judge_later_epochs(attempt: Callable, history: Tensor) -> None:
    own, temperature = weighting.dwa_weights, 0.5
    module = _after(attempt(history.shape[1], temperature=temperature), history[:2])
    first, second, third = history[:3]
    weights, expected = _weights(module), own(second, first, temperature)
    expect_tensor(weights, "`weights` after two epochs", shape=expected.shape, meaning="[K], one weight per task")
    _refuse(weights, expected, [
        (torch.ones_like(first), "after two epochs the weights are still all 1, though two can be compared."),
        (own(first, second, temperature), "the two epochs are swapped: a loss that falls gets the larger weight."),
        (own(second, first, 2.0), "the temperature that it was built with makes no difference."),
        (own(second, first, 1.0), "the temperature that it was built with makes no difference."),
    ])  # fmt: skip
    expect_close(weights, expected, "after two epochs the weights are not those of `dwa_weights` for these two.")
    weights, expected = _weights(_after(module, [third])), own(third, second, temperature)
    _refuse(weights, expected, [
        (own(second, first, temperature), "after three epochs it still compares the first two."),
        (own(third, first, temperature), "after three epochs it compares the third with the first; the older one of "
         "the two that it remembers has to move on, too."),
        (own(second, third, temperature), "the two epochs are swapped from the third epoch on."),
    ])  # fmt: skip
    expect_close(weights, expected, "after three epochs the weights are not those of the last two.")
    expect_close(_weights(module), weights, "reading `weights` twice gives two answers; reading should change nothing.")
    expect_close(
        _weights(_after(module, history[3:])),
        own(history[-1], history[-2], temperature),
        "right for three epochs, but after six the weights are not those of the last two.",
    )


def _judge_memory(attempt: Callable, history: Tensor) -> None:
    module = attempt(3, temperature=2.0)
    for means in history:
        given = means.clone()
        module.end_epoch(given)
        given.zero_()  # as a training loop does that uses one tensor for all its epochs
    expected = weighting.dwa_weights(history[-1], history[-2], 2.0)
    expect_close(
        _weights(module),
        expected,
        "it keeps the very tensor that `end_epoch` was given: when the caller changes that one, the memory changes.",
    )
    losses = torch.rand(3, requires_grad=True)
    total = call(module, losses)
    expect_tensor(total, "the total", like=losses, shape=[], meaning="one number, a tensor of shape []")
    expect_close(total, (expected * losses).sum(), "its total is not the sum of each loss times its weight.")
    hanging = _after(attempt(3, temperature=2.0), history * torch.ones(6, 1, requires_grad=True))
    expect(
        not _weights(hanging).requires_grad,
        "the weights hang on the graph of the losses that it was given; it should remember plain numbers.",
    )


def _judge_resuming(attempt: Callable, history: Tensor) -> None:
    for epochs in (4, 1):
        module, fresh = (attempt(3, temperature=2.0) for _ in range(2))
        state = copy.deepcopy(_after(module, history[:epochs]).state_dict())
        try:
            fresh.load_state_dict(state)
        except RuntimeError:
            raise NotYet(
                "a fresh module cannot load the state of an old one; register all that it remembers in `__init__`, "
                "with the shape that it keeps."
            ) from None
        if epochs == 1:  # nothing to see yet; the next epoch shows what was kept
            _after(module, history[4:5])
            _after(fresh, history[4:5])
        kept, expected = _weights(fresh), _weights(module)
        expect(
            state or is_close(kept, expected),
            "nothing that it remembers is in its `state_dict`: a plain attribute is lost when a run is resumed.",
        )
        _refuse(kept, expected, [
            (torch.ones(3), "with the state of an old module, a fresh one has the weights 1 again; part of what it "
             "remembers is a plain attribute, which `state_dict` does not see."),
        ])  # fmt: skip
        expect_close(kept, expected, "a fresh module with the state of an old one has other weights than the old one.")


@exercise(
    "05.uncertainty",
    "learned uncertainty",
    minutes=10,
    trains="parameters of a module, a total that teaches its own weights, gradients",
    own=lambda: weighting.Uncertainty,
)
def judge_uncertainty(attempt: Any) -> None:
    expect_module_class(attempt)
    expect_callable(attempt, ["count"])
    for count in (3, 2, 7, 1):
        module = attempt(count)
        learned = list(module.parameters())
        expect(learned, "it has no parameters: a plain tensor or a buffer is not handed to the optimizer.")
        numbers = sum(parameter.numel() for parameter in learned)
        expect(
            numbers == count,
            f"its parameters hold {numbers} in all for {count} tasks; there should be one number for each.",
        )
        losses = torch.rand(count) + 0.2
        _judge_starting_total(call(module, losses), losses)
        _judge_gradients(module, learned, losses)
        s = torch.randn(count)
        _set(learned, s)
        elsewhere = call(module, losses)
        expect_close(elsewhere, _uncertainty(losses, s), "the total is right at the start, but not for other s.")
        _judge_shown_weights(module, s)


def _judge_starting_total(total: Any, losses: Tensor) -> None:
    expect_tensor(total, "the total", like=losses, shape=[], meaning="one number, a tensor of shape []")
    start = torch.full_like(losses, -0.5)
    expected = _uncertainty(losses, start)
    _refuse(total, expected, [
        (_uncertainty(losses, start, inverse=False), "a large s makes its loss count more; a task that is called noisy "
         "should count less."),
        (_uncertainty(losses, start, cost=-0.5), "the second term has the wrong sign: it should cost something to "
         "call a task noisy."),
        (_uncertainty(losses, start, cost=0), "one term of the equation is missing: what keeps s from growing?"),
        (_uncertainty(losses, start, half=1), "the losses count twice as much as in the equation."),
        (_uncertainty(losses, start, cost=1), "the second term is twice as large as in the equation."),
        (2 * expected, "the total is twice as large as in the equation; look at what stands in front of each term."),
        (_uncertainty(losses, 2 * start), "s is taken for the logarithm of σ; in the equation it is that of σ²."),
        (_uncertainty(losses, torch.zeros_like(start)), "every s starts at 0; the text names another start."),
        (_uncertainty(losses, -start), "every s starts on the wrong side of 0."),
        (expected / len(losses), "this is the mean over the tasks; the equation has a sum."),
    ])  # fmt: skip
    expect_close(total, expected, "before any step of learning, the total is not that of the equation.")


def _judge_gradients(module: nn.Module, learned: Sequence[Tensor], losses: Tensor) -> None:
    losses = losses.clone().requires_grad_()
    total = module(losses)
    expect(total.requires_grad, "no gradient can flow back through the total. Look for detach(), .data or no_grad().")
    to_losses, *to_learned = torch.autograd.grad(total, [losses, *learned], allow_unused=True)
    expect(to_losses is not None, "no gradient reaches the losses: the network would learn nothing.")
    expect(
        all(gradient is not None for gradient in to_learned),
        "no gradient reaches the learned numbers: the total is not computed from the parameters themselves.",
    )
    found = torch.cat([gradient.flatten() for gradient in to_learned])
    expect(
        not is_close(found, torch.full_like(found, 0.5)),
        "the gradient of s does not feel the losses. Are detached weights used in `forward`?",
    )


def _judge_shown_weights(module: Any, s: Tensor) -> None:
    weights, expected = _weights(module), 0.5 * torch.exp(-s)
    expect_tensor(weights, "`weights`", shape=s.shape, meaning="[K], one weight per task")
    _refuse(weights, expected, [
        (torch.full_like(s, 0.5 * math.exp(0.5)), "`weights` stays at its start when s changes."),
        (2 * expected, "`weights` is twice what the losses are multiplied with in the total."),
        (s, "`weights` gives s; it should give what the losses are multiplied with."),
        (s.exp(), "`weights` gives the variances; it should give what the losses are multiplied with."),
        (len(s) * torch.softmax(-s, dim=0), "`weights` is scaled to a fixed sum; the equation does not do that."),
    ])  # fmt: skip
    expect_close(weights, expected, "`weights` is not what the losses are multiplied with in the total.")
    expect(
        not weights.requires_grad,
        "`weights` is there to be looked at, and still hangs on the graph of the parameters.",
    )


def settled_weights(losses: Tensor) -> Tensor:
    """Where uncertainty weighting settles for losses that stay as they are: each weighted loss is 1/2."""
    return 1 / (2 * losses)


@exercise(
    "05.settled_weights",
    "where uncertainty settles",
    minutes=4,
    trains="setting a derivative to zero, and reading what the result means",
    own=lambda: settled_weights,
)
def judge_settled_weights(attempt: Any) -> None:
    expect_callable(attempt, ["losses"])
    for count in (3, 2, 7, 1):
        losses = 3 * torch.rand(count) + 0.05
        weights = call(attempt, losses)
        expect_tensor(weights, "the result", like=losses, shape=[count], meaning="[K], one weight per task")
        expected = settled_weights(losses)
        shared = expected / expected.sum()
        _refuse(weights, expected, [
            (losses, "this is the variance where the terms balance; asked for is the weight of the loss."),
            (losses.log(), "this is s where the terms balance; asked for is the weight of the loss."),
            (losses / 2, "the larger the loss, the larger its weight here; look at where the variance stands."),
            (1 / losses, "every weight is twice too large; the loss's own term has a number in front of it."),
            (expected / 2, "every weight is half of what it should be."),
            (torch.full_like(losses, 0.5), "this is what a weighted loss contributes; asked for is the weight alone."),
            (torch.full_like(losses, 0.5 * math.exp(0.5)), "this does not depend on the losses."),
            (shared, "the weights are scaled to a fixed sum; nothing in the total asks for that."),
            (count * shared, "the weights are scaled to a fixed sum; nothing in the total asks for that."),
            (1 / (2 * losses**2), "the loss enters squared; take the derivative with respect to s, not to σ."),
            ((1 / (2 * losses)).sqrt(), "there is a root too many: s is the logarithm of σ², not of σ."),
        ])  # fmt: skip
        expect(
            count == 1 or not is_close(weights, weights[:1].expand(count)),
            "all tasks get the same weight, though their losses differ.",
        )
        expect_close(
            weights, expected, "with these weights the total can still be made smaller: its derivative is not 0."
        )


@exercise(
    "05.train_epoch",
    "an epoch that tells the weighting",
    minutes=10,
    trains="the order of a training step, mean losses without weights and without graph",
    own=lambda: train_epoch,
)
def judge_train_epoch(attempt: Any) -> None:
    expect_callable(attempt, ["model", "todo", "balance", "optimizer", "loader"])
    _judge_epoch(attempt, [tasks.segmentation(4, name="classes"), tasks.depth()], [2.5, 0.3])
    _judge_epoch(attempt, [tasks.depth(), tasks.normals(), tasks.segmentation(3)], [0.4, 3.0, 1.7])


def train_epoch(model: nn.Module, todo: Sequence[Task], balance: Any, optimizer: Any, loader: Any) -> Tensor:
    """One pass over the loader. `balance.end_epoch` is told the mean unweighted losses [K], which are returned."""
    mean_losses = torch.zeros(len(todo))
    for batch in loader:
        predictions = model(batch["image"])
        losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        mean_losses += losses.detach() / len(loader)
    balance.end_epoch(mean_losses)
    return mean_losses


class _Pixelwise(nn.Module):
    """A network for the judge: one convolution per task, fast and different for every pixel."""

    def __init__(self, todo: Sequence[Task]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({task.name: nn.Conv2d(3, task.channels, kernel_size=1) for task in todo})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {name: head(images) for name, head in self.heads.items()}


class _Listening(weighting.Equal):
    """Fixed weights, and a memory of what it was told, and after how many batches."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__(len(weights))
        self.ones.copy_(torch.tensor(weights))
        self.totals = 0
        self.told: list[tuple[int, Tensor]] = []

    def forward(self, losses: Tensor) -> Tensor:
        self.totals += 1
        return (self.weights * losses).sum()

    def end_epoch(self, mean_losses: Tensor) -> None:
        self.told.append((self.totals, mean_losses))


def _judge_epoch(attempt: Callable, todo: list[Task], weights: list[float]) -> None:
    loader = DataLoader([_sample(todo) for _ in range(6)], batch_size=2)
    start, batches = _Pixelwise(todo), list(loader)
    model, balance = copy.deepcopy(start), _Listening(weights)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    returned = call(attempt, model, todo, balance, optimizer, loader)
    _judge_steps(_flat(model), start, todo, balance, batches)
    expected = _reference(start, todo, weights, batches)[1]
    meaning = "[K], one mean loss per task"
    expect_tensor(returned, "what is returned", shape=[len(todo)], meaning=meaning)
    _judge_means(returned, "what is returned", expected, balance.weights)
    expect(balance.told, "the weighting's `end_epoch` is never called, so it never learns how the losses fall.")
    expect(
        len(balance.told) == 1 and balance.told[0][0] == len(batches),
        "`end_epoch` should be called once, when the epoch is over; DWA would take each call for an epoch.",
    )
    told = balance.told[0][1]
    expect_tensor(told, "what `end_epoch` is told", shape=[len(todo)], meaning=meaning)
    _judge_means(told, "what `end_epoch` is told", expected, balance.weights)


def _judge_steps(after: Tensor, start: nn.Module, todo: list[Task], balance: _Listening, batches: list) -> None:
    weights, ones = balance.weights.tolist(), [1.0] * len(todo)
    expected = _reference(start, todo, weights, batches)[0]
    _refuse(after, expected, [
        (_flat(start), "the network is the same after the epoch as before it: no step was taken."),
        (_reference(start, todo, weights, batches, forgetful=True)[0], "the gradients of earlier batches are still "
         "there in the later ones; `backward` adds to what it finds."),
        (_reference(start, todo, ones, batches)[0], "the network follows the plain sum of the losses; the weighting's "
         "total is not what `backward` is called on."),
        (_reference(start, todo, weights, batches[:1])[0], "the network has learned from the first batch only."),
        (_reference(start, todo, weights, batches[-1:])[0], "the network has learned from the last batch only."),
    ])  # fmt: skip
    expect(balance.totals == len(batches), "the weighting should be asked for one total per batch.")
    expect_close(after, expected, "after the epoch the network is not where one step per batch would bring it.")


def _judge_means(found: Tensor, name: str, losses: Tensor, weights: Tensor) -> None:
    """Compare with the mean of the unweighted losses [batches, K]."""
    expected, count = losses.mean(dim=0), len(losses)
    _refuse(found, expected, [
        (expected * weights, f"{name} are weighted losses; when a weight falls, its loss would seem to fall."),
        (losses.sum(dim=0), f"{name} are sums over the batches; they should be means."),
        (losses[-1], f"{name} are the losses of the last batch alone."),
        (losses[-1] / count, f"{name} holds the last batch alone, divided by the number of batches."),
        (losses[0], f"{name} are the losses of the first batch alone."),
    ])  # fmt: skip
    expect_close(found, expected, f"{name} are not the means over the batches of each task's loss.")
    expect(not found.requires_grad, f"{name} hangs on the graph, and with it every batch stays in memory.")


def _reference(
    start: nn.Module, todo: list[Task], weights: list[float], batches: list, forgetful: bool = False
) -> tuple[Tensor, Tensor]:
    """The network's parameters after an epoch, flat, and the losses [batches, K] on its way."""
    model, scale = copy.deepcopy(start), torch.tensor(weights)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    history = []
    for batch in batches:
        predictions = model(batch["image"])
        losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
        if not forgetful:
            optimizer.zero_grad()
        (scale * losses).sum().backward()
        optimizer.step()
        history.append(losses.detach())
    return _flat(model), torch.stack(history)


def _sample(todo: list[Task], height: int = 5, width: int = 7) -> dict[str, Tensor]:
    classes = max(task.channels for task in todo if task.target == "segmentation")
    return {
        "image": torch.rand(3, height, width),
        "segmentation": torch.randint(classes, (height, width)),
        "depth": torch.rand(1, height, width) + 0.1,
        "normals": nn.functional.normalize(torch.randn(3, height, width), dim=0),
    }


def _refuse(found: Any, expected: Tensor, mistakes: Sequence[tuple[Any, str]]) -> None:
    """Raise the hint of the first mistake whose result was found, unless the right result is the same."""
    for mistaken, hint in mistakes:
        expect(not is_close(found, mistaken) or is_close(expected, mistaken), hint)


def _after(module: Any, history: Any) -> Any:
    for means in history:
        call(module.end_epoch, means)
    return module


def _weights(module: Any) -> Any:
    """The module's weights. Inside a property of a module, torch hides which attribute is missing; so go around it."""
    found = getattr(type(module), "weights", None)
    return found.fget(module) if isinstance(found, property) else module.weights


def _shares(values: Tensor) -> Tensor:
    return len(values) * values / values.sum()


def _uncertainty(losses: Tensor, s: Tensor, half: float = 0.5, cost: float = 0.5, inverse: bool = True) -> Tensor:
    return (half * torch.exp(-s if inverse else s) * losses + cost * s).sum()


def _set(parameters: Sequence[Tensor], values: Tensor) -> None:
    with torch.no_grad():
        for parameter, part in zip(parameters, values.split([p.numel() for p in parameters]), strict=True):
            parameter.copy_(part.view_as(parameter))


def _flat(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
