"""Code for a slide: lines short enough for large letters, pieces short enough for one screen."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from functools import cache

from nbconvert.filters.highlight import Highlight2HTML

WIDEST = 92
"""Characters in a line of code, beyond which it is wrapped."""

_DRAWING = {"plots", "plt", "figure", "figures", "axes", "axis"}
_DRAWS = re.compile(r"\bplots\.show\(|\b(?:axis|axes(?:\[.*?\])?)\.\w+\(")
_LEAST_COMPUTING = 3
_highlight = Highlight2HTML(pygments_lexer="python")


@cache
def tidy(source: str) -> str:
    """The same code with its long lines wrapped as ruff would write them; as it is where ruff cannot read it."""
    source = re.sub(r"\n{3,}", "\n\n", re.sub(r" *# fmt: \w+$", "", source, flags=re.MULTILINE))
    if max(map(len, source.splitlines()), default=0) <= WIDEST:
        return source
    try:
        source = _comments_above(source)
    except (tokenize.TokenError, SyntaxError):
        return source
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet", "--line-length", str(WIDEST), "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, encoding="utf-8")
    return source if done.returncode else re.sub(r"\n{3,}", "\n\n", done.stdout.rstrip("\n"))


def html(source: str) -> str:
    """Highlighted code."""
    return _highlight(source)


def only_prepares(source: str) -> bool:
    """Whether a cell does nothing but import and set plotting defaults."""
    return all(
        isinstance(node, ast.Import | ast.ImportFrom) or "rcParams" in ast.unparse(node)
        for node in ast.parse(source).body
    )


def without_drawing(source: str) -> str:
    """The statements of a cell but those functions that do nothing but draw: the class looks at the figure."""
    lines, kept, end = source.splitlines(), [], 0
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or not _DRAWS.search(ast.unparse(node)):
            kept += lines[end : node.end_lineno]
        end = node.end_lineno or end
    return "\n".join([*kept, *lines[end:]]).strip("\n")


def computing(source: str) -> str:
    """The statements of a cell that neither draw nor print, with their comments; empty if they build little.

    A class looks at a figure, not at the lines that set its axis labels.
    """
    lines, kept, count, end = source.splitlines(), [], 0, 0
    for node in ast.parse(source).body:
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        if not names & _DRAWING and not _prints(node):
            kept += lines[end : node.end_lineno]
            count += _LEAST_COMPUTING if isinstance(node, ast.FunctionDef | ast.ClassDef) else 1
        end = node.end_lineno or end
    return "\n".join(kept).strip("\n") if count >= _LEAST_COMPUTING else ""


def split(source: str, count: int) -> list[str]:
    """Code in `count` pieces of about the same length, each beginning where a reader would begin."""
    lines = source.splitlines()
    cuts = [0]
    for piece in range(1, count):
        ideal = len(lines) * piece / count
        later = range(cuts[-1] + 1, len(lines))
        cuts.append(min(later, key=lambda row: abs(row - ideal) + _penalty(lines, row), default=len(lines)))
    cuts.append(len(lines))
    pieces = ["\n".join(lines[a:b]).strip("\n") for a, b in zip(cuts, cuts[1:], strict=False)]
    return [piece for piece in pieces if piece]


def _comments_above(source: str) -> str:
    """The same code; a comment that makes its line too long stands above it."""
    lines = source.splitlines()
    moved = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT and len(lines[row - 1]) > WIDEST and lines[row - 1][:column].strip():
            indent = re.match(r"\s*", lines[row - 1])[0]
            moved[row - 1] = [indent + token.string, lines[row - 1][:column].rstrip()]
    return "\n".join(line for row, old in enumerate(lines) for line in moved.get(row, [old]))


def _prints(node: ast.stmt) -> bool:
    """Whether a statement is a print, or a loop or condition around nothing but prints and assignments."""
    if isinstance(node, ast.For | ast.If | ast.With):
        return any(map(_prints, node.body)) and all(_prints(part) or isinstance(part, ast.Assign) for part in node.body)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "print"


def _penalty(lines: list[str], row: int) -> float:
    """How bad it is to begin a piece at this line, in lines."""
    indent = len(lines[row]) - len(lines[row].lstrip())
    if not lines[row].strip() or lines[row].lstrip()[:1] in ")]}":
        return 9
    return indent * 0.75 + (0 if not lines[row - 1].strip() else 3)
