"""What the README shows a newcomer is true: its snippet runs, its targets exist, its links lead somewhere."""

import re
from pathlib import Path
from subprocess import run

from reward_client.local import LocalServer

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_snippet_for_other_trainers_grades_a_batch(tmp_path: Path) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    right = "<reasoning>two and two</reasoning><answer>4</answer>"

    with LocalServer(tmp_path / "server.log") as server:
        namespace: dict[str, object] = {}
        exec(snippet.replace("127.0.0.1:50051", server.address), namespace)
        reward = namespace["math_reward"]
        assert callable(reward)
        rewards = reward(["2+2?"] * 3, [right, right.replace("4<", "5<"), "4"], ["4", "4", "4"])
        ungraded = reward(["?"], [right], [""])
        namespace["client"].close()  # type: ignore[attr-defined]

    assert rewards == [1.0, 0.2, 0.0]
    assert ungraded == [None]


def test_every_make_target_that_is_named_exists() -> None:
    listed = run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    named = set(re.findall(r"\bmake ([a-z][a-z-]+)", README))
    assert {"train", "test", "eval", "generate", "serve-rewards"} <= named
    assert named <= set(re.findall(r"make ([a-z-]+)", listed)) | {"help"}


def test_every_relative_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
