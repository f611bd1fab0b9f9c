"""What pyproject.toml knows: above all, it is the one place where the repository's address stands."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "build"


def pyproject() -> dict:
    """pyproject.toml as a dict."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def repository() -> str:
    """The repository's address, without a slash at its end."""
    return pyproject()["project"]["urls"]["Repository"].rstrip("/")
