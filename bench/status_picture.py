"""Takes the pictures of the status page in docs/images: a real server, under a load of every reward.

    python bench/status_picture.py [--seconds 120] [--chromium /usr/bin/chromium]

Starts a server of its own with a sandbox, sends groups of good, bad, broken and repeated answers
through the client, and photographs the page, light and dark, wide and as a phone shows it.
"""

import argparse
import itertools
import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from reward_client.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    MathReference,
    Reference,
    Sample,
    TextReference,
)
from reward_client.client import RewardClient
from reward_client.local import LocalServer

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
GROUP = 8
PHONE = 390  # CSS pixels wide
STORY = "The keeper of the lighthouse wrote down every ship that passed, and one night a ship wrote back. "
TEXT = (
    "Rivers carry sand to the sea, where waves sort it by weight and leave the lightest grains on the beach. "
)
CASES: dict[str, tuple[Reference, tuple[str, ...]]] = {
    "math": (
        MathReference(answer="6 * 7 = 42\n#### 42"),
        ("42", "42.0", "\\frac{84}{2}", "6 \\cdot 7", "41", "24", "about forty"),
    ),
    "choice": (
        ChoiceReference(labels=("A", "B"), texts=("iron", "gold"), correct_label="B"),
        ("B", "gold", "A", "(B)"),
    ),
    "boolean": (BooleanReference(value=True), ("yes", "true", "no")),
    "code": (
        CodeReference(tests=("assert double(2) == 4", "assert double(-3) == -6"), entry_point="double"),
        (
            "def double(x):\n    return 2 * x",
            "def double(x):\n    return x + x",
            "def double(x):\n    return x * x",
            "def double(x):\n    raise ValueError(x)",
            "def double(x):\n    while True:\n        x += 1",
        ),
    ),
    "writing": (TextReference(), (STORY * 6, STORY, STORY.upper() * 3)),
    "ideation": (
        TextReference(),
        ("1. A library of tools\n2. A ship of seeds\n3. A clock for tides", "Nothing."),
    ),
    "summary": (TextReference(reference=TEXT, source=TEXT * 4), (TEXT, "Waves sort sand.", STORY)),
}
# Who sends what: a trainer's mix three times, and one that sends programs alone.
MIX = {"math": 10, "choice": 6, "boolean": 6, "writing": 3, "ideation": 2, "summary": 3}
SENDERS: tuple[Mapping[str, int], ...] = (MIX, MIX, MIX, {"code": 1})


def group(reward: str, number: int, chance: random.Random) -> Iterator[Sample]:
    """Yield the completions of one prompt: some right, some wrong, some without form, some sent before."""
    reference, answers = CASES[reward]
    if chance.random() < 0.002:
        reference = TextReference() if reward == "math" else MathReference(answer="1")
    prompt = f"question {number if chance.random() < 0.7 else number % 50}"
    weights = [12.0, *(3.0 for _ in answers[2:]), 1.0]
    for index in range(GROUP):
        (answer,) = chance.choices(answers, weights)
        shut = chance.random() < 0.1
        completion = (
            answer if shut else f"<reasoning>Step {index} of it.</reasoning><answer>{answer}</answer>"
        )
        yield Sample(
            sample_id=f"{number}-{index}",
            reward=reward,
            prompt=prompt,
            completion=completion,
            reference=reference,
        )


def load(address: str, ends: float, seed: int, weights: Mapping[str, int]) -> None:
    """Send batches until `ends`, on the clock of `time.monotonic`."""
    chance = random.Random(seed)
    with RewardClient(address) as client:
        for number in itertools.count(seed * 1_000_000, 10):
            if time.monotonic() > ends:
                return
            names = chance.choices(list(weights), list(weights.values()), k=chance.choice((1, 2, 8)))
            batch = (group(name, number + place, chance) for place, name in enumerate(names))
            client.score(list(itertools.chain.from_iterable(batch)))
            time.sleep(chance.uniform(0.0, 0.05 + 0.1 * ((time.monotonic() // 20) % 3)))


def photograph(browser: Browser, url: str, name: str, *, dark: bool, width: int) -> None:
    """Save one picture of the whole page."""
    scheme = "dark" if dark else "light"
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme=scheme, device_scale_factor=1.5
    )
    page.goto(url)
    page.wait_for_selector("h1")
    page.wait_for_timeout(2_500)
    page.screenshot(path=IMAGES / name, full_page=width > PHONE)
    page.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    listen = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as drivers:
        log = Path(directory) / "log"
        with LocalServer(log, arguments=("--metrics-listen", listen)) as server:
            ends = time.monotonic() + arguments.seconds
            senders = [
                threading.Thread(target=load, args=(server.address, ends, seed, weights))
                for seed, weights in enumerate(SENDERS)
            ]
            for sender in senders:
                sender.start()
            time.sleep(max(0.0, arguments.seconds - 25.0))
            browser = drivers.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
            for name, dark, width in (
                ("status.png", False, 1200),
                ("status-dark.png", True, 1200),
                ("status-phone.png", False, PHONE),
            ):
                photograph(browser, f"http://{listen}/", name, dark=dark, width=width)
            browser.close()
            for sender in senders:
                sender.join()


if __name__ == "__main__":
    main()
