"""The checks bite: a sound notebook passes; each test spoils one thing in a copy and sees a check fail."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tools import build_notebooks, chapters, check_notebooks, run_course
from tools.kernel import CHECKED, environment
from tools.project import NOTEBOOKS, ROOT

TINY = '''\
# %% [markdown]
# # 98 · Tiny
#
# {{chapter_badges}}

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Tiny", minutes_cpu=1, minutes_gpu=1)

# %%
import torch

from course_utils.weighting import dwa_weights

last, before_last = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 2.0])
print("the slower task weighs more:", [f"{weight:.3f}" for weight in dwa_weights(last, before_last, 2.0)])

# %%
### BEGIN SOLUTION
total = 6 * 7
### END SOLUTION
total = 42 if total is ... else total
total
'''
# The mistake that is easy to make: the two epochs the wrong way round.
INVERTED = """

_right_dwa_weights = dwa_weights


def dwa_weights(last, before_last, *rest, **options):
    return _right_dwa_weights(before_last, last, *rest, **options)
"""


def nbval(notebook, **variables):
    """Run nbval over one notebook in the surroundings of its build; returns (passed, what was printed)."""
    command = [sys.executable, "-m", "pytest", "--nbval", "-x", "-q", "--color=no", "-p", "no:cacheprovider"]
    command += ["-c", ROOT / "pyproject.toml", "--rootdir", notebook.parent, notebook]
    run = subprocess.run(
        command, cwd=ROOT, env=environment(**CHECKED) | variables, capture_output=True, text=True
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr  # 2 and more: pytest itself went wrong
    return run.returncode == 0, run.stdout


def rebuild_check(notebooks):
    """Run the rebuild check over a folder; returns (passed, what was printed)."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(printed):
        status = check_notebooks.main(["98", "--notebooks", str(notebooks)])
    return status == 0, printed.getvalue()


def rewrite(notebook, change):
    """Apply `change` to the notebook's JSON, keeping the layout of the file."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    change(content["cells"])
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    notebook.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A notebooks folder with one small chapter, built as the real ones are. It passes both checks."""
    notebooks = tmp_path_factory.mktemp("course") / "notebooks"
    (notebooks / "source").mkdir(parents=True)
    (notebooks / "source" / "98_tiny.py").write_text(TINY, encoding="utf-8")
    for solved in (False, True):
        build_notebooks.build(chapters.find(["98"], notebooks)[0], solved)
    assert rebuild_check(notebooks)[0]
    assert nbval(notebooks / "98_tiny.ipynb")[0]
    return notebooks


@pytest.fixture
def tiny(built, tmp_path):
    """A fresh copy of it to be spoilt."""
    return shutil.copytree(built, tmp_path / "notebooks") / "98_tiny.ipynb"


@pytest.fixture
def broken_package(tmp_path):
    """A PYTHONPATH on which `course_utils` comes first in a copy with one function broken."""
    package = shutil.copytree(ROOT / "course_utils", tmp_path / "broken" / "course_utils")
    with (package / "weighting.py").open("a", encoding="utf-8") as file:
        file.write(INVERTED)
    return os.pathsep.join([str(package.parent), str(ROOT)])


def test_building_twice_gives_the_same_bytes(built, tiny):
    build_notebooks.build(chapters.find(["98"], tiny.parent)[0], solved=False)
    assert tiny.read_bytes() == (built / tiny.name).read_bytes()


def test_a_corrupted_number_fails(tiny):
    rewrite(tiny, lambda cells: cells[3]["outputs"][0]["data"].update({"text/plain": ["43"]}))
    passed, printed = nbval(tiny)
    assert not passed and "43" in printed and "42" in printed


def test_blank_execution_counts_fail(tiny):
    def never_executed(cells):
        for cell in cells[1:]:
            cell.update(execution_count=None, outputs=[])

    rewrite(tiny, never_executed)
    assert nbval(tiny)[0], "nbval lets such a notebook through, which is why the rebuild check looks"
    passed, printed = rebuild_check(tiny.parent)
    assert not passed and "98_tiny, cell 2: execution count None, expected 1" in printed


def test_a_changed_source_fails_until_rebuilt(tiny):
    source = tiny.parent / "source" / "98_tiny.py"
    source.write_text(source.read_text(encoding="utf-8").replace("6 * 7", "7 * 6"), encoding="utf-8")
    passed, printed = rebuild_check(tiny.parent)
    assert not passed and "98_tiny, cell 4: its source differs" in printed and "make notebooks" in printed
    for solved in (False, True):
        build_notebooks.build(chapters.find(["98"], tiny.parent)[0], solved)
    assert rebuild_check(tiny.parent)[0]


def test_a_broken_function_fails(tiny, broken_package):
    passed, printed = nbval(tiny, PYTHONPATH=broken_package)
    assert not passed and "the slower task weighs more" in printed


@pytest.mark.parametrize("number", ["05"])
def test_a_broken_function_fails_in_the_real_chapter(number, tmp_path, broken_package):
    """The chapter that builds the function, cut after the cell that notices, so that nothing is trained."""
    chapter = chapters.find([number], NOTEBOOKS)[0]
    notebook = shutil.copy(chapter.notebook, tmp_path)
    passed, printed = nbval(tmp_path / chapter.notebook.name, PYTHONPATH=broken_package)
    assert not passed
    noticed = int(re.search(r"^FAILED .*::Cell (\d+)", printed, flags=re.MULTILINE)[1])

    def cut(cells):
        code = [index for index, cell in enumerate(cells) if cell["cell_type"] == "code"]
        del cells[code[noticed] + 1 :]

    rewrite(tmp_path / chapter.notebook.name, cut)
    assert nbval(tmp_path / chapter.notebook.name)[0], f"unbroken, {notebook} must pass"


@pytest.mark.parametrize(
    "cell, message",
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nprint('careful', file=sys.stderr)", "wrote to stderr: careful"),
        ("import os\nprint(os.getcwd())", "an absolute path"),
    ],
)
def test_the_build_names_the_cell_and_keeps_the_old_notebook(tiny, cell, message):
    before = tiny.read_bytes()
    source = tiny.parent / "source" / "98_tiny.py"
    source.write_text(source.read_text(encoding="utf-8") + f"\n# %%\n{cell}\n", encoding="utf-8")
    with pytest.raises(build_notebooks.CellError) as caught:
        build_notebooks.build(chapters.find(["98"], tiny.parent)[0], solved=False)
    assert message in str(caught.value) and "98_tiny, cell 5" in str(caught.value)
    assert tiny.read_bytes() == before


def test_a_run_of_the_course_names_the_cell_that_fails_and_keeps_what_it_has(tiny, tmp_path):
    source = tiny.parent / "source" / "98_tiny.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# %%\n1 / 0\n", encoding="utf-8")
    result = run_course.run(chapters.find(["98"], tiny.parent)[0], tmp_path)
    assert "98_tiny, cell 5 of 5 (code): ZeroDivisionError: division by zero" in result.failure
    assert "the slower task weighs more: [" in (tmp_path / "98_tiny.html").read_text(encoding="utf-8")
    assert len(json.loads((tmp_path / "98_tiny.ipynb").read_text(encoding="utf-8"))["cells"]) == 5
