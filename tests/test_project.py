"""The project's own files agree with each other."""

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import course_utils
from tools import chapters, readme
from tools.project import ROOT, pyproject, repository

PROJECT = pyproject()["project"]
REQUIREMENTS = [
    Requirement(line)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in group
]
MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:home|root|work|Users)/")


FOLDERS = (".ci", ".github", "course_utils", "docs", "instructor", "notebooks", "tests", "tools")
CACHES = {"__pycache__", ".ipynb_checkpoints", ".DS_Store"}


def project_files() -> list[Path]:
    """The project's own files: those in its root and in its folders."""
    files = [*ROOT.iterdir(), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*"))]
    return [file for file in sorted(files) if file.is_file() and not CACHES & set(file.parts)]


def project_texts() -> dict[str, str]:
    """Name -> text of the project's files, apart from pictures and weights."""
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in project_files()
        if file.suffix not in {".png", ".safetensors"} and file.name != ".git"
    }


def test_the_environment_of_conda_users_equals_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, packages = environment["dependencies"]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    assert pip == "pip"
    *listed, editable = packages["pip"]
    assert editable == "--editable ."
    assert sorted(map(str, map(Requirement, listed))) == sorted(map(str, REQUIREMENTS))


def test_constraints_are_names_and_versions_within_the_ranges():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    pinned = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    for requirement in REQUIREMENTS:
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} has no line in constraints.txt"
        assert requirement.specifier.contains(pinned[name]), f"{name}=={pinned[name]} is not {requirement}"


def test_the_two_versions_agree():
    assert course_utils.__version__ == PROJECT["version"]


def test_the_address_stands_in_one_place():
    texts = project_texts()
    written_by_tools = {name for name in texts if name.endswith(".ipynb")}
    address = repository().removeprefix("https://").split("/", 1)[1]
    texts["README.md"] = re.sub(f"{readme.BEGIN}.*{readme.END}", "", texts["README.md"], flags=re.DOTALL)
    places = [name for name, text in texts.items() if address in text and name not in written_by_tools]
    assert places == ["pyproject.toml"]


def test_no_file_names_a_machine_or_a_registry():
    for name, text in project_texts().items():
        if name in {"tests/test_project.py", "tests/test_notebook_tools.py"}:
            continue  # they look for such paths
        found = MACHINE_PATH.search(text)
        assert not found or name == "tools/check_notebooks.py", f"{name}: {found[0]}"
        assert "pypi" + ".org" not in text, name


def test_the_chapter_table_is_up_to_date():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == readme.with_table(text, chapters.find()), "Run: make readme"


def test_the_first_chapter_gives_every_chapter_and_its_minutes():
    found = chapters.find()
    text = found[0].source.read_text(encoding="utf-8")
    rows = re.findall(r"^# \| \[?(\d\d)\b.*\| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    expected = [(chapter.number, str(chapter.exercise_minutes), f"{chapter.minutes_cpu:g}") for chapter in found]
    assert rows == expected


def test_every_chapter_says_how_long_its_exercises_take():
    for chapter in chapters.find():
        assert "{{exercise_minutes}} minutes" in chapter.source.read_text(encoding="utf-8"), chapter.name


@pytest.mark.parametrize("name, phrase", [("LICENSE", "MIT License"), ("LICENSE-TEXT", "CC BY 4.0")])
def test_the_licences_are_there(name, phrase):
    assert phrase in (ROOT / name).read_text(encoding="utf-8")
    assert name in PROJECT["license-files"]


def test_every_link_of_the_readme_leads_to_a_file():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    missing = [link for link in links if not (ROOT / link).is_file()]
    assert not missing


def test_ci_runs_make_test_and_nothing_else():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "make" in line] == ["exec make test"]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    supported = SpecifierSet(PROJECT["requires-python"])
    assert job["strategy"]["matrix"]["python"] == [f"3.{n}" for n in range(30) if f"3.{n}.0" in supported]


def test_shipped_data_files_are_declared():
    covered = set()
    for name, patterns in pyproject()["tool"]["setuptools"]["package-data"].items():
        folder = ROOT / name.replace(".", "/")
        covered.update(file for pattern in patterns for file in folder.glob(pattern))
    package = [file for file in project_files() if ROOT / "course_utils" in file.parents]
    assert {file for file in package if file.suffix != ".py"} == covered
