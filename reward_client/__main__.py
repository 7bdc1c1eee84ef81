"""`python -m reward_client`: ask a server what it has, or have a file graded.

    python -m reward_client --address 127.0.0.1:50051 list
    python -m reward_client --address 127.0.0.1:50051 score samples.jsonl > outcomes.jsonl

A line of samples.jsonl is a `reward.v1.Sample` in protobuf's JSON form, a line of the
output a `reward_client.api.Outcome`; empty sample ids are filled with line numbers.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf import json_format
from reward.v1 import reward_pb2 as pb

from reward_client.api import RewardClientError, RewardRequestError, Sample
from reward_client.client import RewardClient
from reward_client.security import Security, read_token
from reward_client.wire import read_sample


def main() -> int:
    """Run one command; returns the exit code."""
    arguments = _parser().parse_args()
    try:
        security = Security(
            authority=arguments.authority,
            certificate=arguments.certificate,
            key=arguments.key,
            token=read_token(arguments.token_file),
        )
        with RewardClient(arguments.address, security=security) as client:
            match arguments.command:
                case "list":
                    lines = [dataclasses.asdict(each) for each in client.list_rewards()]
                case _:
                    samples = list(_read(arguments.file))
                    outcomes = client.score(samples, timeout_s=arguments.timeout_s)
                    lines = [dataclasses.asdict(each) for each in outcomes]
    except RewardClientError as error:
        print(f"reward_client: {error}", file=sys.stderr)  # noqa: T201  (the command line's own voice)
        return 1
    _print(lines)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reward_client", description="Ask a reward server.")
    parser.add_argument("--address", default="127.0.0.1:50051", help="HOST:PORT, several by comma")
    parser.add_argument("--authority", type=Path, help="who signs the server's certificate (PEM): with TLS")
    parser.add_argument("--certificate", type=Path, help="this client's own certificate (PEM), with --key")
    parser.add_argument("--key", type=Path, help="the key of that certificate (PEM)")
    parser.add_argument("--token-file", type=Path, help="file that holds the server's bearer token")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the server's rewards, one JSON object a line")
    score = commands.add_parser("score", help="grade samples; one JSON object a line comes back")
    score.add_argument("file", type=Path, help="a reward.v1.Sample in JSON on each line")
    score.add_argument("--timeout-s", type=float, default=300.0, help="seconds for all of them")
    return parser


def _read(file: Path) -> Iterator[Sample]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RewardRequestError(f"{str(file)!r} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            message = json_format.Parse(line, pb.Sample())
            sample = read_sample(message)
        except (json_format.ParseError, ValueError) as error:
            raise RewardRequestError(f"{str(file)!r} line {number} is no sample: {error}") from error
        yield sample if sample.sample_id else dataclasses.replace(sample, sample_id=str(number))


def _print(lines: Iterable[dict[str, object]]) -> None:
    for line in lines:
        print(json.dumps(line, ensure_ascii=False))  # noqa: T201  (the output of the command)


if __name__ == "__main__":
    sys.exit(main())
