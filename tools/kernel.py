"""One way to execute a notebook, for the build and for `make course`; nbval gets the same surroundings."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager
from traitlets import default

from tools.chapters import METADATA
from tools.project import ROOT

# Stored outputs are made, and later compared, in exactly these surroundings.
CHECKED = {
    "MTAN_RUN": "quick",
    "MTAN_DATA": "",
    "TQDM_DISABLE": "1",  # a progress bar never prints the same twice
    "OMP_NUM_THREADS": "1",  # the last digits of a sum depend on the number of threads
    "CUDA_VISIBLE_DEVICES": "",
    "MTAN_PROGRESS": "",  # the exercises of whoever builds the notebooks are no output of theirs
    "MTAN_SLIDERS": "off",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


class ThisPython(AsyncKernelManager):
    """Starts this very Python as nbval does, whatever kernel the user has installed as python3."""

    @default("kernel_spec_manager")
    def _kernel_spec_manager_default(self) -> NbvalKernelspecManager:
        return NbvalKernelspecManager()


class CellError(RuntimeError):
    """A cell failed; the message names chapter, cell, the cell's first lines and what went wrong."""


def environment(**variables: str) -> dict[str, str]:
    """The variables of this process and `variables`; `course_utils` is the one beside the notebooks."""
    search_path = [path for path in (os.environ.get("PYTHONPATH"), str(ROOT)) if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(search_path), **variables}


def execute(
    notebook: NotebookNode,
    name: str,
    folder: Path,
    variables: dict[str, str],
    after_cell: Callable[[], None] = lambda: None,
) -> None:
    """Execute all cells in place, in a fresh kernel of this Python, inside `folder`.

    `after_cell` is called once per cell. Raises CellError at the first cell that fails.
    """
    running = 0

    def on_cell_start(cell: NotebookNode, cell_index: int) -> None:
        nonlocal running
        running = cell_index

    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        kernel_name=CURRENT_ENV_KERNEL_NAME,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        timeout=None,
        on_cell_start=on_cell_start,
        on_cell_complete=lambda cell, cell_index: after_cell(),
    )
    try:
        # What a cell writes to stderr reaches the notebook; the rest is the kernel's talk about itself.
        client.execute(env=environment(**variables), stderr=subprocess.DEVNULL)
    except CellExecutionError as error:
        raise CellError(describe(notebook, running, name, f"{error.ename}: {error.evalue}")) from error
    except DeadKernelError as error:
        raise CellError(describe(notebook, running, name, "the kernel died (out of memory?)")) from error
    notebook.metadata = nbformat.from_dict(METADATA)  # the kernel has added the version of this Python


def describe(notebook: NotebookNode, index: int, name: str, problem: str) -> str:
    """A message about one cell: chapter, cell number counted over all cells from 1, first lines, problem."""
    cell = notebook.cells[index]
    lines = cell.source.splitlines()
    shown = "\n".join(f"    | {line}" for line in lines[:4] + ["..."] * (len(lines) > 4))
    return f"{name}, cell {index + 1} of {len(notebook.cells)} ({cell.cell_type}): {problem}\n{shown}"
