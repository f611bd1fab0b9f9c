"""From a source with solutions to the students' version: a stub stands in the place of each solution.

A solution lies between nbgrader's marks:

    def attention_mask(u):
        ### BEGIN SOLUTION
        return torch.sigmoid(u)
        ### END SOLUTION

Inside a function the stub raises NotImplementedError, which `check` reads as "not attempted yet". At the left margin
every name that the solution assigns becomes `name = ...`, so that the cell still runs.
"""

import ast
import re
import textwrap

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = "raise NotImplementedError  # your code here, in place of this line"

_REGION = re.compile(rf"^([ \t]*){BEGIN}\n(.*?)^[ \t]*{END}$", re.MULTILINE | re.DOTALL)


class SolutionError(ValueError):
    """A solution that cannot be replaced by a stub; the message says which line."""


def hide(source: str) -> str:
    """The source of a code cell with every solution replaced by its stub.

    Raises:
        SolutionError: a mark without its partner, an empty solution, or one that does not parse.
    """
    hidden = _REGION.sub(_stub, source)
    left = [line for line in hidden.splitlines() if BEGIN in line or END in line]
    if left:
        raise SolutionError(f"{left[0].strip()!r} has no partner; write {BEGIN} and {END}, each on a line of its own.")
    return hidden


def has_solution(source: str) -> bool:
    """Whether a cell holds a solution."""
    return BEGIN in source


def _stub(region: re.Match) -> str:
    indent, solution = region.groups()
    try:
        statements = ast.parse(textwrap.dedent(solution)).body
    except SyntaxError as error:
        raise SolutionError(f"the solution {solution.strip()!r} is no Python of its own: {error.msg}.") from error
    if not statements:
        raise SolutionError("a solution is empty.")
    if indent:
        return indent + STUB
    names = [name for statement in statements for name in _assigned(statement)]
    if not names:
        raise SolutionError(f"the solution {solution.strip()!r} at the left margin assigns no name.")
    return "\n".join(f"{name} = ...  # your turn" for name in dict.fromkeys(names))


def _assigned(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return []
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
