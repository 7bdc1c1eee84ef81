"""What the package's own source must not do."""

import re
import subprocess
import sys
from pathlib import Path

import reward_server.rewards.math

PACKAGE = Path(reward_server.rewards.math.__file__).parent


def test_no_file_of_the_package_calls_anything_that_evaluates_text() -> None:
    forbidden = re.compile(
        r"(?<![\w.])(?:eval|exec|compile|__import__)\(|\b(?:sympify|parse_expr|parse_latex|lambdify|S)\("
    )
    calls = [
        f"{path.name}: {line.strip()}"
        for path in sorted(PACKAGE.glob("*.py"))
        for line in path.read_text().splitlines()
        if forbidden.search(line)
    ]

    assert calls == []


def test_importing_the_reward_does_not_import_sympy() -> None:
    check = "import sys, reward_server.rewards.math; sys.exit('sympy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
