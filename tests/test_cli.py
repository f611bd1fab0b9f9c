"""The command line: what it prints and writes, and how it goes on after it was killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from course_utils import models, platforms, training, weighting
from course_utils.__main__ import choose_device, main
from course_utils.data import KINDS

ROOT = Path(__file__).parents[1]
TINY = ["--size", "32x64", "--width", "0.03125", "--length", "4", "--val-length", "2", "--batch-size", "4"]
FILES = ["checkpoint.pt", "history.jsonl", "metrics.json"]


def train(out, *arguments, epochs=2):
    return main(["train", *TINY, "--device", "cpu", "--epochs", str(epochs), "--out", str(out), *arguments])


def results(out):
    return json.loads((out / "metrics.json").read_text())


def history(out):
    return [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]


def start(out):
    """The same run of 10 epochs in a process of its own, on one core, so that sums are always added alike."""
    command = [sys.executable, "-m", "course_utils", "train", *TINY, "--device", "cpu", "--epochs", "10"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    return subprocess.Popen(
        [*command, "--out", str(out)], cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    _, error = process.communicate()
    assert process.returncode == 0, error


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run."""
    out = tmp_path_factory.mktemp("runs") / "a"
    finish(start(out))
    return out


# --- train --------------------------------------------------------------------------------------------------


def test_train_writes_its_three_files(finished):
    assert sorted(path.name for path in finished.iterdir()) == FILES
    records = history(finished)
    assert [record["epoch"] for record in records] == list(range(1, 11))
    assert set(records[0]) == {"epoch", "learning_rate", "weights", "losses", "metrics"}
    written = results(finished)
    assert written["metrics"] == records[-1]["metrics"]
    assert written["epoch"] == 10
    assert written["parameters"] == 42_146
    assert written["config"]["classes"] == 7
    assert written["config"]["size"] == [32, 64]
    assert written["config"]["tasks"] == ["segmentation", "depth"]
    errors = [record["metrics"]["depth"]["absolute_error"] for record in records]
    assert written["mean_of_last_10_epochs"]["depth"]["absolute_error"] == pytest.approx(sum(errors) / 10)


def test_narrow_networks_take_larger_steps(finished):
    assert results(finished)["config"]["learning_rate"] == pytest.approx(1e-4 * 32 ** (2 / 3))


def test_a_finished_run_prints_its_table_again_and_mends_its_files(finished, capsys):
    table, jsonl = (finished / "metrics.json").read_bytes(), (finished / "history.jsonl").read_bytes()
    (finished / "metrics.json").unlink()
    (finished / "history.jsonl").write_bytes(jsonl[:-20])
    assert train(finished, epochs=10) == 0
    assert (finished / "metrics.json").read_bytes() == table
    assert (finished / "history.jsonl").read_bytes() == jsonl
    printed = capsys.readouterr().out
    assert "mean of last 10" in printed
    for key in ("mean_iou", "pixel_accuracy", "absolute_error", "relative_error"):
        assert key in printed


def test_few_epochs_have_no_mean_of_ten(tmp_path, capsys):
    assert train(tmp_path, "--model", "single", "--tasks", "normals", "--weighting", "equal", epochs=1) == 0
    assert "mean_of_last_10_epochs" not in results(tmp_path)
    assert list(results(tmp_path)["metrics"]) == ["normals"]
    printed = capsys.readouterr().out
    assert "mean of last" not in printed
    assert "epoch 1/1" in printed


def test_other_settings_are_refused(finished, capsys):
    assert train(finished, "--width", "0.0625", "--temperature", "20", epochs=10) == 2
    error = capsys.readouterr().err
    assert "width: checkpoint 0.03125, this run 0.0625" in error
    assert "temperature: checkpoint 2.0, this run 20.0" in error


def test_ctrl_c_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_epoch", stop)
        assert train(tmp_path, epochs=1) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert train(tmp_path, epochs=1) == 0
    assert "going on from" in capsys.readouterr().out


def test_a_gpu_that_does_not_compute_is_not_used(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(platforms, "usable_gpu", lambda: (False, "Tesla P100 does not compute"))
    note = "note: Tesla P100 does not compute; going on with the CPU."
    assert choose_device("auto") == "cpu"
    assert capsys.readouterr().err == ""  # no GPU is visible: nothing to say
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: True)
        assert choose_device("auto") == "cpu"
    assert note in capsys.readouterr().err
    assert train(tmp_path, "--device", "cuda", epochs=1) == 0
    printed = capsys.readouterr()
    assert note in printed.err
    assert "on cpu" in printed.out


# --- killed at any moment -----------------------------------------------------------------------------------


def wait_for_epochs(out, count, process):
    lines = 0
    while lines < count and process.poll() is None:
        time.sleep(0.005)
        file = out / "history.jsonl"
        lines = len(file.read_text().splitlines()) if file.exists() else 0


def test_a_killed_run_ends_with_the_same_numbers(finished, tmp_path):
    for epochs in (random.randint(1, 2), random.randint(4, 6)):
        process = start(tmp_path)
        wait_for_epochs(tmp_path, epochs, process)
        time.sleep(random.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL  # it was still running
        assert epochs <= len(history(tmp_path)) < 10
    finish(start(tmp_path))
    for name in ("metrics.json", "history.jsonl"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


# --- evaluate and doctor ------------------------------------------------------------------------------------


def test_evaluate_gives_the_metrics_of_training(finished, capsys):
    assert main(["evaluate", "--run", str(finished), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    for values in results(finished)["metrics"].values():
        for key, value in values.items():
            assert f"{key:<18}{value:>10.4f}" in printed


def test_evaluate_needs_a_finished_epoch(tmp_path, capsys):
    assert main(["evaluate", "--run", str(tmp_path / "none")]) == 2
    assert "none/checkpoint.pt: cannot read the checkpoint" in capsys.readouterr().err


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for word in ("python", torch.__version__, "numpy", "cv2", "threads", "device"):
        assert word in printed


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--dataset", "nyu"], ["nyu", "synthcity", "cityscapes", "nyuv2"]),
        (["--model", "mtam"], ["mtam", *models.MODELS]),
        (["--weighting", "dva"], ["dva", *weighting.WEIGHTINGS]),
        (["--tasks", "depth,colour"], ["colour", *KINDS["synthcity"]]),
        (["--dataset", "nyuv2"], ["nyuv2", "--data-root"]),
        (["--dataset", "nyuv2", "--data-root", "/no/such/folder"], ["/no/such/folder"]),
        (["--weighting", "equal", "--temperature", "3"], ["--temperature", "dwa", "equal"]),
        (["--model", "split", "--residual-mask"], ["--residual-mask", "mtan", "split"]),
        (["--model", "single"], ["single", "segmentation, depth"]),
        (["--width", "0"], ["width", "0"]),
        (["--learning-rate", "0"], ["learning_rate", "0"]),
        (["--batch-size", "0"], ["batch_size", "0"]),
        (["--learning-rate", "1e30"], ["epoch 2/2, batch 1", "segmentation", "nan", "lower learning rate"]),
    ],
)
def test_errors_are_one_clear_line(tmp_path, capsys, arguments, words):
    assert train(tmp_path / "run", *arguments, epochs=2) == 2
    error = capsys.readouterr().err.rpartition("error: ")[2]
    assert "Traceback" not in error
    for word in words:
        assert word in error


def test_damaged_and_unwritable_files(tmp_path, capsys):
    out = tmp_path / "run"
    out.mkdir()
    (out / "checkpoint.pt").write_bytes(b"PK half a file")
    assert train(out) == 2
    assert "checkpoint.pt: this is no whole checkpoint" in capsys.readouterr().err
    assert train(out / "checkpoint.pt" / "below") == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("text", ["64", "64x", "axb", "64x128x3"])
def test_sizes(tmp_path, capsys, text):
    with pytest.raises(SystemExit) as stop:
        train(tmp_path, "--size", text)
    assert stop.value.code == 2
    assert f"expected HEIGHTxWIDTH, such as 128x256, got {text!r}" in capsys.readouterr().err


def test_help_names_all_there_is(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    printed = capsys.readouterr().out
    for name in (*models.MODELS, *weighting.WEIGHTINGS, *KINDS):
        assert name in printed
