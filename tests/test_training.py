"""Training: the same numbers however often a run is stopped, and clear errors for all that can go wrong."""

import errno
import random
import resource
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from course_utils import checkpoint, models, tasks, weighting
from course_utils.checkpoint import CheckpointError, atomic_write
from course_utils.seeding import SeededSamples, derived_seed, random_states, set_random_states
from course_utils.training import TrainingError, evaluate, fit, mean_metrics, train_epoch

CLASSES = 3
TODO = [tasks.segmentation(CLASSES), tasks.depth()]


class Frames(Dataset):
    """Frames of noise, new at each access, brighter or darker; class and depth follow the brightness."""

    classes = CLASSES

    def __init__(self, count=7, size=(32, 32)):
        self.count, self.size, self.read = count, size, 0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.read += 1
        noise = torch.rand(3, *self.size) + random.random() + float(np.random.random())
        image = noise / 3 + index / 50
        depth = image.mean(dim=0, keepdim=True)
        labels = (depth[0] * CLASSES).long().clamp(max=CLASSES - 1)
        return {"image": image, "segmentation": labels, "depth": depth}


class Pixelwise(nn.Module):
    """The smallest network: a 1x1 convolution for each task, and dropout, which draws random numbers."""

    def __init__(self, todo):
        super().__init__()
        self.heads = nn.ModuleDict({task.name: nn.Conv2d(3, task.channels, 1) for task in todo})
        self.dropout = nn.Dropout(0.1)

    def forward(self, images):
        return {name: head(self.dropout(images)) for name, head in self.heads.items()}


def pixelwise(todo=TODO, seed=0):
    torch.manual_seed(seed)
    return Pixelwise(todo)


def small_mtan():
    torch.manual_seed(0)
    return models.build("mtan", TODO, width=1 / 32)


def run(path=None, model=None, balance="dwa", train=None, val=None, todo=TODO, **settings):
    """A short run; returns the network and its history."""
    model = model or pixelwise(todo)
    balance = weighting.build(balance, todo) if isinstance(balance, str) else balance
    settings = {"epochs": 4, "batch_size": 3, "learning_rate": 0.01} | settings
    train = Frames() if train is None else train
    history = fit(model, train, val or Frames(2), todo, balance, checkpoint=path, **settings)
    return model, history


def assert_same_numbers(first, second):
    (model, history), (other_model, other_history) = first, second
    assert history == other_history
    state, other_state = model.state_dict(), other_model.state_dict()
    assert state.keys() == other_state.keys()
    for name in state:
        assert torch.equal(state[name], other_state[name]), name


def stop_after(epoch):
    def stop(history):
        if len(history) == epoch:
            raise KeyboardInterrupt

    return stop


# --- the same numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("balance", ["equal", "dwa", "uncertainty"])
def test_a_resumed_run_equals_one_left_alone(tmp_path, balance):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run.pt", small_mtan(), balance, after_epoch=stop_after(2))
    torch.manual_seed(99)  # nothing of the old process is left
    resumed = run(tmp_path / "run.pt", small_mtan(), balance)
    assert_same_numbers(resumed, run(None, small_mtan(), balance))
    assert [record["epoch"] for record in resumed[1]] == [1, 2, 3, 4]


@pytest.mark.parametrize("reads", [3, 6, 9, 17, 28])
def test_a_run_stopped_within_an_epoch_is_exact_too(tmp_path, reads):
    class Failing(Frames):
        def __getitem__(self, index):
            if self.read == reads:
                raise InterruptedError
            return super().__getitem__(index)

    with pytest.raises(InterruptedError):
        run(tmp_path / "run.pt", train=Failing())
    assert_same_numbers(run(tmp_path / "run.pt", pixelwise(seed=99)), run())


def test_a_run_stopped_again_and_again(tmp_path):
    for epoch in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "run.pt", after_epoch=stop_after(epoch))
    assert_same_numbers(run(tmp_path / "run.pt"), run())


def test_worker_processes_change_no_number():
    assert_same_numbers(run(workers=2, epochs=2), run(workers=0, epochs=2))


def test_seeds():
    assert_same_numbers(run(seed=5), run(seed=5))
    assert run(seed=5)[1][0]["losses"] != run(seed=6)[1][0]["losses"]
    with pytest.raises(ValueError, match=r"seed: expected .* got -1"):
        run(seed=-1)
    assert len({derived_seed(seed, epoch) for seed in range(20) for epoch in range(1, 20)}) == 20 * 19


def test_each_epoch_goes_through_all_frames_in_another_order():
    class Recorded(Frames):
        order = []

        def __getitem__(self, index):
            self.order.append(index)
            return super().__getitem__(index)

    run(train=Recorded(), epochs=3)
    orders = [tuple(Recorded.order[1 + 7 * epoch : 8 + 7 * epoch]) for epoch in range(3)]  # 1: the first look
    assert [sorted(order) for order in orders] == [list(range(7))] * 3
    assert len(set(orders)) == 3


def test_random_transforms_draw_anew_in_each_epoch_and_for_each_frame():
    frames = Frames()
    noise = {}
    for epoch in (1, 2):
        for index in (0, 1):
            noise[epoch, index] = SeededSamples(frames, 0, epoch)[index]["image"] - index / 50
    assert len({tuple(image.flatten().tolist()) for image in noise.values()}) == 4


def test_random_states_come_back():
    states = random_states()
    drawn = random.random(), np.random.normal(), torch.rand(3).tolist()
    set_random_states(states)
    assert (random.random(), np.random.normal(), torch.rand(3).tolist()) == drawn


# --- what is recorded ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs, halved_after", [(1, 1), (2, 1), (5, 3), (6, 3)])
def test_the_learning_rate_is_halved_once(epochs, halved_after):
    rates = [record["learning_rate"] for record in run(epochs=epochs)[1]]
    assert rates == [0.01] * halved_after + [0.005] * (epochs - halved_after)


def test_mean_losses_weigh_every_frame_alike():
    class Numbers(Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            depth = torch.full((1, 4, 4), (1.0, 2.0, 6.0)[index])
            return {"image": torch.zeros(3, 4, 4), "depth": depth}

    todo = [tasks.depth()]
    model = pixelwise(todo)
    nn.init.zeros_(model.heads["depth"].bias)
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    loader = DataLoader(Numbers(), batch_size=2)
    means = train_epoch(model, loader, todo, weighting.build("equal", todo), still)
    assert means.tolist() == [pytest.approx(3.0)]  # the mean of the batches' means would be 3.75


def test_weights_follow_from_the_recorded_losses():
    history = run(epochs=4)[1]
    assert [record["weights"] for record in history[:2]] == [{"segmentation": 1.0, "depth": 1.0}] * 2
    for before_last, last, now in zip(history, history[1:], history[2:], strict=False):
        ratios = np.array([last["losses"][task.name] / before_last["losses"][task.name] for task in TODO])
        expected = 2 * np.exp(ratios / 2) / np.exp(ratios / 2).sum()
        assert list(now["weights"].values()) == pytest.approx(expected.tolist(), rel=1e-6)


def test_learned_weights_are_learned():
    weights = [record["weights"]["depth"] for record in run(balance="uncertainty")[1]]
    assert len(set(weights)) == 4


def test_training_lowers_the_losses():
    history = run(epochs=10, learning_rate=0.1)[1]
    for task in TODO:
        assert history[-1]["losses"][task.name] < 0.7 * history[0]["losses"][task.name]


def test_without_a_validation_set_there_are_no_metrics():
    history = fit(pixelwise(), Frames(), None, TODO, weighting.build("equal", TODO), epochs=1)
    assert history[0]["metrics"] == {}


def test_one_task_and_several_of_a_kind():
    todo = [tasks.depth(), tasks.depth(name="again"), tasks.segmentation(CLASSES)]
    for some in (todo[:1], todo):
        history = run(todo=some, epochs=3)[1]
        assert list(history[-1]["metrics"]) == [task.name for task in some]


def test_mean_metrics():
    history = [{"metrics": {"depth": {"absolute_error": value}}} for value in (9.0, 1.0, 2.0)]
    assert mean_metrics(history, 2) == {"depth": {"absolute_error": 1.5}}
    with pytest.raises(ValueError, match=r"last: expected 1..3 .* got 4"):
        mean_metrics(history, 4)


# --- evaluation ---------------------------------------------------------------------------------------------


def test_evaluate_pools_over_all_pixels():
    frames = [dict(frame) for frame in (Frames()[index] for index in range(5))]
    frames[3]["depth"][:, 5:] = 0  # few valid pixels: a mean of means would weigh them too much
    model = pixelwise().eval()
    metrics = evaluate(model, frames, TODO, batch_size=2)

    images = torch.stack([frame["image"] for frame in frames])
    depth = torch.stack([frame["depth"] for frame in frames])
    labels = torch.stack([frame["segmentation"] for frame in frames])
    with torch.no_grad():
        predictions = model(images)
    valid = depth != 0
    error = (predictions["depth"] - depth)[valid].abs()
    right = predictions["segmentation"].argmax(dim=1) == labels
    assert metrics["depth"]["absolute_error"] == pytest.approx(error.mean().item(), rel=1e-5)
    assert metrics["depth"]["relative_error"] == pytest.approx((error / depth[valid]).mean().item(), rel=1e-5)
    assert metrics["segmentation"]["pixel_accuracy"] == pytest.approx(right.float().mean().item(), rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_evaluate_leaves_no_trace(training):
    model = small_mtan().train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    first = evaluate(model, Frames(3), TODO, batch_size=2)
    assert evaluate(model, Frames(3), TODO, batch_size=2) == first
    assert model.training is training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.train()(torch.rand(2, 3, 32, 32))["depth"].sum().backward()  # and it can still be trained


# --- checkpoints --------------------------------------------------------------------------------------------


def test_a_complete_run_is_returned_at_once(tmp_path):
    complete = run(tmp_path / "run.pt")
    written = (tmp_path / "run.pt").read_bytes()
    frames = Frames()
    assert_same_numbers(run(tmp_path / "run.pt", pixelwise(seed=99), train=frames), complete)
    assert frames.read == 1  # the first look
    assert (tmp_path / "run.pt").read_bytes() == written


def test_the_folder_is_made_and_nothing_else_is_left(tmp_path):
    run(tmp_path / "new" / "folder" / "run.pt", epochs=1)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["run.pt"]


def test_what_a_killed_write_leaves_is_cleaned_up(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run.pt", after_epoch=stop_after(2))
    half = (tmp_path / "run.pt").read_bytes()[:1000]
    (tmp_path / "run.pt.tmp").write_bytes(half)
    assert_same_numbers(run(tmp_path / "run.pt"), run())
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize(
    "changed, line",
    [
        ({"epochs": 6}, "epochs: checkpoint 4, this run 6"),
        ({"batch_size": 2}, "batch_size: checkpoint 3, this run 2"),
        ({"learning_rate": 0.02}, "learning_rate: checkpoint 0.01, this run 0.02"),
        ({"seed": 3}, "seed: checkpoint 0, this run 3"),
        ({"train": Frames(6)}, "training_samples: checkpoint 7, this run 6"),
        ({"config": {"width": 0.25}}, "width: checkpoint 0.125, this run 0.25"),
        ({"config": None}, "width: checkpoint 0.125, this run has none"),
        ({"balance": "equal"}, "weighting: checkpoint DynamicWeightAverage, this run Equal"),
        (
            {"balance": weighting.build("dwa", TODO, temperature=20.0)},
            "weighting.temperature: checkpoint 2.0, this run 20.0",
        ),
        ({"model": small_mtan()}, "model: checkpoint Pixelwise, this run MTAN"),
        ({"todo": TODO[:1]}, "tasks: checkpoint ['segmentation', 'depth'], this run ['segmentation']"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, changed, line):
    path = tmp_path / "run.pt"
    run(path, config={"width": 0.125})
    before = path.read_bytes()
    with pytest.raises(CheckpointError) as error:
        run(path, **({"config": {"width": 0.125}} | changed))
    assert f"\n  {line}\n" in str(error.value)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before


def test_a_network_of_another_width_or_form_is_refused_without_any_config(tmp_path):
    run(tmp_path / "run.pt", small_mtan(), epochs=1)
    wider = models.build("mtan", TODO, width=1 / 16)
    with pytest.raises(CheckpointError, match=r"weight: checkpoint \[2, 3, 3, 3\], this run \[4, 3, 3, 3\]"):
        run(tmp_path / "run.pt", wider, epochs=1)
    residual = models.build("mtan", TODO, width=1 / 32, residual_mask=True)
    with pytest.raises(CheckpointError, match=r"model\.attention.*: checkpoint False, this run True"):
        run(tmp_path / "run.pt", residual, epochs=1)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_cut_off_checkpoint_is_refused(tmp_path, share):
    path = tmp_path / "run.pt"
    run(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"run\.pt: this is no whole checkpoint: .* delete it"):
        run(path)
    path.write_bytes(whole)
    assert len(run(path)[1]) == 4


def test_a_changed_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    model, _ = run(path)
    whole = bytearray(path.read_bytes())
    weights = model.heads["depth"].weight.detach().numpy().tobytes()
    whole[whole.index(weights) + 2] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match=r"run\.pt: this is no whole checkpoint"):
        run(path)


def test_files_that_are_no_checkpoint_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "stolen"), "w"))

    for contents in ({"model": 1}, [1, 2], 3, {"model": Evil()}):
        torch.save(contents, tmp_path / "run.pt")
        with pytest.raises(CheckpointError, match="no whole checkpoint"):
            checkpoint.read(tmp_path / "run.pt")
    assert not (tmp_path / "stolen").exists()
    with pytest.raises(CheckpointError, match="cannot read the checkpoint: No such file"):
        checkpoint.read(tmp_path / "missing.pt")


def test_an_unwritable_place_shows_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.pt").mkdir()
    for path in (tmp_path / "file" / "run.pt", tmp_path / "folder.pt"):
        frames = Frames()
        with pytest.raises(CheckpointError, match="the checkpoint: ") as error:
            run(path, train=frames)
        assert str(path) in str(error.value)
        assert frames.read == 1  # the first look


@contextmanager
def largest_file(size):
    """As on a full disk, writing beyond `size` bytes fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_nothing(tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        run(path, after_epoch=stop_after(2))
    before = path.read_bytes()
    with largest_file(len(before) // 2), pytest.raises(CheckpointError, match="File too large.* still there"):
        run(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]
    assert_same_numbers(run(path), run())


def test_atomic_write_is_all_or_nothing(tmp_path):
    path = tmp_path / "text"
    with atomic_write(path) as file:
        file.write(b"old")
    with pytest.raises(OSError) as error, atomic_write(path) as file:
        file.write(b"new")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(path) in str(error.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# --- bad input ----------------------------------------------------------------------------------------------


def nan_loss(calls):
    """A loss of depth that is not a number at its call number `calls`."""
    done = []

    def loss(prediction, target):
        done.append(0)
        return (prediction - target).abs().mean() * (float("nan") if len(done) == calls else 1)

    return loss


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    path = tmp_path / "run.pt"
    todo = [TODO[0], replace(TODO[1], loss=nan_loss(calls=3 + 2))]  # 3 batches an epoch
    message = r"epoch 2/4, batch 2: the loss of task 'depth' is nan.*lower learning rate"
    with pytest.raises(TrainingError, match=message):
        run(path, todo=todo)
    kept = checkpoint.read(path)
    assert kept["epoch"] == 1
    assert all(value.isfinite().all() for value in kept["model"].values())
    assert_same_numbers(run(path), run())  # with the cause gone, it goes on


def test_weights_broken_by_the_last_step_are_not_kept(tmp_path):
    def infinite_gradient(prediction, target):
        return (prediction * 0).abs().mean().sqrt()  # 0, with a slope of infinity

    todo = [TODO[0], replace(TODO[1], loss=infinite_gradient)]
    message = r"epoch 1, after its last batch: heads\.depth\.weight .*lower learning rate"
    with pytest.raises(TrainingError, match=message):
        run(tmp_path / "run.pt", todo=todo, batch_size=7)
    assert checkpoint.read(tmp_path / "run.pt")["epoch"] == 0


def test_a_missing_target_is_named():
    todo = [*TODO, tasks.normals()]
    with pytest.raises(ValueError, match=r"'normals'.*'normals'.*training.*image, segmentation, depth"):
        run(todo=todo)
    with pytest.raises(ValueError, match="validation"):
        run(val=[{"image": torch.zeros(3, 8, 8), "depth": torch.zeros(1, 8, 8)}])


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"epochs": 0}, "epochs: expected a number above 0, got 0"),
        ({"batch_size": 0}, "batch_size: expected a number above 0, got 0"),
        ({"learning_rate": -1.0}, "learning_rate: expected a number above 0, got -1.0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a number above 0, got nan"),
        ({"train": Frames(0)}, "the training data set is empty"),
        ({"todo": [tasks.segmentation(7)]}, "predicts 7 classes, the training data set has 3"),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        run(**settings)
