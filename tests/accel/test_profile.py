"""At least 30 examples and no deadline, everywhere."""

import ast
from pathlib import Path

from hypothesis import settings

TESTS = Path(__file__).parents[1]


def test_the_profile_is_loaded():
    assert settings.default.max_examples >= 30
    assert settings.default.deadline is None


def test_no_test_asks_for_less():
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "settings":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                examples = given.get("max_examples", ast.Constant(30))
                if isinstance(examples, ast.Constant):
                    assert examples.value >= 30, f"{path}:{node.lineno}"
                deadline = given.get("deadline", ast.Constant(None))
                assert isinstance(deadline, ast.Constant), f"{path}:{node.lineno}"
                assert deadline.value is None, f"{path}:{node.lineno}"
