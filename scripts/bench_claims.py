# Language policy: EXEMPT from the Rust-path rule. Times the claims gate and writes the figures.
"""Time the claims gate on this checkout and on many documents, and record it.

Writes `docs/benchmarks/claims_gate.json`: the checkout from a cold start, the checkout again when
the files that say nothing are known, 1000 and 10 000 documents, and one document that grows. The
peer is measured in the same run: markdown-it-py, which only parses the same texts. Run it with
`nox -s bench-claims` on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from hpcgate.claims import check
from hpcgate.evidence import host_class

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "benchmarks" / "claims_gate.json"
SNIPPETS = ROOT / "tests" / "governance" / "claims"
# The paragraphs of the one document that grows.
GROWTH = (1000, 2000, 4000, 8000)

Timed = dict[str, list[float]]


def main() -> int:
    """Time the gate and its peer, and write the record."""
    options = _options()
    texts, parser = _texts(), version("markdown-it-py")
    record: dict[str, Any] = {
        "about": "Run time of the claims gate beside a parser that only reads the same texts.",
        "written_by": "nox -s bench-claims",
        "host_class": host_class(ROOT),
        "cpus": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": f"Python {platform.python_version()}, markdown-it-py {parser}",
        "settings": {
            "rounds": options.rounds,
            "source": "labelled snippets, twelve to a page, in order and around again",
        },
        "median_seconds": {},
        "wall_seconds": {},
        "cpu_seconds": {},
    }

    def keep(name: str, timed: Timed) -> None:
        record["wall_seconds"][name] = timed["wall"]
        record["cpu_seconds"][name] = timed["cpu"]
        record["median_seconds"][name] = statistics.median(timed["wall"])

    script = [sys.executable, str(ROOT / "scripts" / "check_hpc_claims.py"), "--strict"]
    keep("checkout_strict_cold", _timed(partial(_run, [*script, "--fresh"]), options.rounds))
    _run(script)
    keep("checkout_strict_again", _timed(partial(_run, script), options.rounds))
    sizes = [size for size in (1000, 10_000) if size <= options.documents]
    with tempfile.TemporaryDirectory() as folder:
        pages = _pages(texts, sizes[-1])
        paths = [Path(folder, f"page-{number}.md") for number in range(len(pages))]
        for path, text in zip(paths, pages, strict=True):
            path.write_text(text, encoding="utf-8")
        for size in sizes:
            read = partial(check, ROOT, paths[:size], level=1)
            keep(f"documents_{size}", _timed(read, options.rounds))
        keep("peer_documents_1000", _timed(lambda: _parse(pages[:1000]), options.rounds))
        record["settings"]["characters_per_document"] = round(sum(map(len, pages)) / len(pages))
        record["one_document"] = _growth(texts, Path(folder, "one.md"), options.rounds)
    cpu = {name: statistics.median(values) for name, values in record["cpu_seconds"].items()}
    record["cpu_gate_over_peer"] = round(cpu["documents_1000"] / cpu["peer_documents_1000"], 2)
    options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))
    return 0


def _run(command: list[str]) -> None:
    subprocess.run(command, capture_output=True, check=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the claims gate.")
    parser.add_argument("--documents", type=int, default=10_000, choices=(1000, 10_000))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RECORD)
    return parser.parse_args()


def _texts() -> list[str]:
    rows: list[dict[str, Any]] = []
    for path in sorted(SNIPPETS.glob("*.jsonl")):
        rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row["text"] for row in rows if row["file"] == "page.md"]


def _pages(texts: list[str], count: int) -> list[str]:
    """Return pages of twelve snippets each."""
    return [
        "\n\n".join(texts[(12 * page + place) % len(texts)] for place in range(12))
        for page in range(count)
    ]


def _growth(texts: list[str], path: Path, rounds: int) -> dict[str, Any]:
    """Return the CPU time of one document of growing length, and the power it grows with."""
    points: list[tuple[int, float]] = []
    for paragraphs in GROWTH:
        whole = "\n\n".join(texts[place % len(texts)] for place in range(paragraphs))
        path.write_text(whole, encoding="utf-8")
        check(ROOT, [path], level=1)  # what is loaded once is not timed
        seconds = _timed(partial(check, ROOT, [path], level=1), rounds)["cpu"]
        points.append((len(whole), statistics.median(seconds)))
    (first, fast), (last, slow) = points[0], points[-1]
    return {
        "characters": [characters for characters, _ in points],
        "median_cpu_seconds": [seconds for _, seconds in points],
        "power": round(math.log(slow / fast) / math.log(last / first), 2),
    }


def _parse(pages: list[str]) -> None:
    parser = MarkdownIt("commonmark").enable("table")
    for page in pages:
        parser.parse(page)


def _timed(work: Callable[[], object], rounds: int) -> Timed:
    """Return wall time and CPU time of each round; the CPU time of child processes counts."""
    found: Timed = {"wall": [], "cpu": []}
    for _ in range(rounds):
        before, started = os.times(), time.perf_counter()
        work()
        found["wall"].append(round(time.perf_counter() - started, 3))
        found["cpu"].append(round(sum(os.times()[:4]) - sum(before[:4]), 2))
    return found


if __name__ == "__main__":
    sys.exit(main())
