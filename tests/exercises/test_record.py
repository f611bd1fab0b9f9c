"""The record of what is done outlives the kernel, and nothing that happens to its file is fatal."""

import json
import subprocess
import sys

import pytest

from course_utils import platforms
from course_utils.exercises import compare, progress, record


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The record's file; the kernel remembers nothing yet."""
    path = tmp_path / "folder" / "progress.json"
    monkeypatch.setenv("MTAN_PROGRESS", str(path))
    monkeypatch.setattr(record, "_session", {})
    return path


def restart(monkeypatch):
    monkeypatch.setattr(record, "_session", {})


def test_what_is_noted_is_there_after_a_restart(file, monkeypatch):
    record.note("05.dwa_weights", "tried")
    record.note("04.attention_mask", "done")
    restart(monkeypatch)
    assert record.read() == {"05.dwa_weights": "tried", "04.attention_mask": "done"}
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name], "no temporary file is left"


def test_another_process_reads_it(file):
    record.note("04.attention_mask", "done")
    code = "from course_utils.exercises import record; print(record.read())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "{'04.attention_mask': 'done'}"


def test_what_is_done_stays_done(file, monkeypatch):
    record.note("05.dwa_weights", "done")
    record.note("05.dwa_weights", "tried")
    assert record.read() == {"05.dwa_weights": "done"}
    restart(monkeypatch)
    record.note("05.dwa_weights", "tried")
    assert json.loads(file.read_text())["05.dwa_weights"] == "done"


def test_two_open_notebooks_add_to_the_same_file(file, monkeypatch):
    record.note("04.attention_mask", "done")
    restart(monkeypatch)  # a second kernel
    record.note("05.dwa_weights", "done")
    assert set(json.loads(file.read_text())) == {"04.attention_mask", "05.dwa_weights"}


@pytest.mark.parametrize("damage", ["", '{"05.dwa', "[1, 2]", '{"a": "excellent"}', "\x00\x01", '{"a": {"b": 1}}'])
def test_a_damaged_file_is_set_aside(file, damage, capsys, monkeypatch):
    file.parent.mkdir()
    file.write_text(damage)
    assert record.read() == {}
    assert "could not be read" in capsys.readouterr().out
    assert (file.parent / "progress.damaged.json").read_text() == damage
    record.note("05.dwa_weights", "done")
    restart(monkeypatch)
    assert record.read() == {"05.dwa_weights": "done"} and capsys.readouterr().out == ""


def test_bytes_that_are_no_text_are_set_aside(file, capsys):
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe{}")
    assert record.read() == {}
    assert "could not be read" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_said_and_the_kernel_remembers(file, capsys):
    file.parent.write_text("a file where the folder should be")
    record.note("05.dwa_weights", "done")
    assert "cannot be kept" in capsys.readouterr().out
    assert record.read() == {"05.dwa_weights": "done"}


def test_without_a_file_the_kernel_alone_remembers(file, monkeypatch):
    monkeypatch.setenv("MTAN_PROGRESS", "")
    record.note("05.dwa_weights", "done")
    assert record.read() == {"05.dwa_weights": "done"} and record.path() is None and not file.exists()


@pytest.mark.parametrize("name, folder", [("kaggle", "/kaggle/working"), ("laptop", None), ("colab", None)])
def test_the_file_lies_where_it_outlives_the_kernel(name, folder, tmp_path, monkeypatch):
    monkeypatch.delenv("MTAN_PROGRESS", raising=False)
    monkeypatch.setattr(platforms, "platform_name", lambda: name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert record.path().as_posix() == f"{folder or tmp_path.as_posix()}/mtan_progress.json"


def test_progress_draws_every_chapter_and_what_comes_next(file, capsys):
    compare("05.first_losses", 6, 6.1)
    record.note("05.dwa_weights", "done")
    record.note("05.removed_since", "done")
    capsys.readouterr()
    progress()
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith("  05 "))
    assert row.count("■") == 1 and row.count("●") == 1
    assert "exercises are correct" in printed and "Next: 0" in printed
    progress({})
    assert "■" not in capsys.readouterr().out.split("■ correct")[0]
