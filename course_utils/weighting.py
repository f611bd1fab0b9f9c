"""How the losses of several tasks become one number to minimise: total = sum over k of weight_k * loss_k.

Built in chapter 05. A weighting is an `nn.Module`: learned weights are its parameters, and all it remembers is in its
`state_dict`, so that a resumed run goes on exactly.
"""

from collections.abc import Sequence
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from course_utils.tasks import Task


class Equal(nn.Module):
    """Every weight is 1 and stays 1: the plain sum of the losses. The base of the other weightings."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.register_buffer("ones", torch.ones(count), persistent=False)

    @property
    def weights(self) -> Tensor:
        """The weight of each task in this epoch, [K], detached."""
        return self.ones

    def forward(self, losses: Tensor) -> Tensor:
        """The total loss, a scalar, of the tasks' losses [K]."""
        self.check_count("losses", losses)
        return (self.weights * losses).sum()

    def end_epoch(self, mean_losses: Tensor) -> None:
        """Take note of an epoch's mean unweighted losses [K]. Equal weights ignore them."""
        self.check_count("mean_losses", mean_losses)

    def check_count(self, name: str, losses: Tensor) -> None:
        if losses.shape != (self.count,):
            raise ValueError(f"{name}: expected one loss per task, shape [{self.count}], got {list(losses.shape)}.")


def dwa_weights(last: Tensor, before_last: Tensor, temperature: float) -> Tensor:
    """Dynamic weight average (the paper's eq. 7): K * softmax(w / T), w_k = L_k(t-1) / L_k(t-2).

    Args:
        last, before_last: mean unweighted training losses [K] of the last epoch and of the one before it.
        temperature: T > 0; large T makes the weights more equal.

    Returns:
        Weights [K] that sum to K. A task that had no loss at all before (0, so no ratio) counts as unchanged, w = 1.
    """
    ratio = torch.where(before_last == 0, torch.ones_like(last), last / before_last)
    return len(ratio) * torch.softmax(ratio / temperature, dim=0)


class DynamicWeightAverage(Equal):
    """DWA: a task whose loss falls slowly is given more weight. Weights are 1 in the first two epochs.

    Args:
        temperature: T = 2 in the CVPR paper, 20 in arXiv version 1.
    """

    def __init__(self, count: int, temperature: float = 2.0) -> None:
        super().__init__(count)
        if not temperature > 0:
            raise ValueError(f"temperature: expected a number above 0, got {temperature!r}.")
        self.temperature = temperature
        self.register_buffer("mean_losses", torch.zeros(2, count, dtype=torch.float64))  # before last, last
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))

    @property
    def weights(self) -> Tensor:
        if self.epochs < 2:
            return self.ones
        before_last, last = self.mean_losses
        return dwa_weights(last, before_last, self.temperature).to(self.ones.dtype)

    @torch.no_grad()
    def end_epoch(self, mean_losses: Tensor) -> None:
        super().end_epoch(mean_losses)
        self.mean_losses.copy_(torch.stack([self.mean_losses[1], mean_losses.to(self.mean_losses)]))
        self.epochs += 1


class Uncertainty(Equal):
    """Weights learned with the network (Kendall et al., CVPR 2018, in the form of the MTAN authors' code).

    total = sum over k of L_k / (2 exp(s_k)) + s_k / 2, with s_k = log sigma_k^2 learned from -0.5 on. The second term
    keeps the network from calling every task hopeless; it makes a negative total possible.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.log_variances = nn.Parameter(torch.full((count,), -0.5))

    @property
    def weights(self) -> Tensor:
        return (0.5 * torch.exp(-self.log_variances)).detach()

    def forward(self, losses: Tensor) -> Tensor:
        self.check_count("losses", losses)
        return (0.5 * torch.exp(-self.log_variances) * losses + 0.5 * self.log_variances).sum()


WEIGHTINGS = {"equal": Equal, "dwa": DynamicWeightAverage, "uncertainty": Uncertainty}


def build(name: str, tasks: Sequence[Task], **options: float) -> Equal:
    """A weighting by its name: "equal", "dwa" (option `temperature`) or "uncertainty".

    Raises:
        ValueError: unknown name, no tasks, or a bad option's value.
        TypeError: an option that this weighting does not have.
    """
    if name not in WEIGHTINGS:
        near = get_close_matches(name, WEIGHTINGS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"weighting: unknown name {name!r}; known are {', '.join(WEIGHTINGS)}.{hint}")
    if not tasks:
        raise ValueError("tasks: expected at least one task, got none.")
    return WEIGHTINGS[name](len(tasks), **options)
