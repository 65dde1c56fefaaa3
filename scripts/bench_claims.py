# Language policy: EXEMPT from the Rust-path rule. Times the claims gate and writes the figures.
"""Time the claims gate on many documents and on this checkout, and record it.

Writes `docs/benchmarks/claims_gate.json`. The peer is measured in the same run: markdown-it-py,
which only parses the same texts. Run it with `nox -s bench-claims` on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from hpcgate.claims import check
from hpcgate.evidence import host_class

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "benchmarks" / "claims_gate.json"
SNIPPETS = ROOT / "tests" / "governance" / "claims"


def main() -> int:
    """Write the documents, time gate and peer in turn, write the record."""
    options = _options()
    pages = _pages(options.documents)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, text in enumerate(pages):
            path = Path(folder, f"page-{number}.md")
            path.write_text(text, encoding="utf-8")
            paths.append(path)
        gate = [_timed(lambda: check(ROOT, paths, level=1)) for _ in range(options.rounds)]
    peer = [_timed(lambda: _parse(pages)) for _ in range(options.rounds)]
    script = [sys.executable, str(ROOT / "scripts" / "check_hpc_claims.py"), "--strict"]
    whole = [
        _timed(lambda: subprocess.run(script, capture_output=True, check=False))
        for _ in range(options.rounds)
    ]
    parser = version("markdown-it-py")
    record = {
        "about": "Run time of the claims gate beside a parser that only reads the same texts.",
        "written_by": "nox -s bench-claims",
        "host_class": host_class(ROOT),
        "cpus": os.cpu_count(),
        "load_before": round(options.load, 2),
        "versions": f"Python {platform.python_version()}, markdown-it-py {parser}",
        "settings": {
            "documents": options.documents,
            "characters": sum(map(len, pages)),
            "rounds": options.rounds,
            "source": "labelled snippets, twelve to a page, in order",
        },
        "seconds": {"gate": gate, "peer": peer, "checkout_strict_cold": whole},
        "gate_over_peer": round(statistics.median(gate) / statistics.median(peer), 2),
    }
    options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the claims gate.")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    options.load = os.getloadavg()[0]
    return options


def _pages(count: int) -> list[str]:
    """Return pages of twelve labelled snippets each, taken in order and around again."""
    rows: list[dict[str, Any]] = []
    for path in sorted(SNIPPETS.glob("*.jsonl")):
        rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows if row["file"] == "page.md"]
    return [
        "\n\n".join(texts[(12 * page + place) % len(texts)] for place in range(12))
        for page in range(count)
    ]


def _parse(pages: list[str]) -> None:
    parser = MarkdownIt("commonmark").enable("table")
    for page in pages:
        parser.parse(page)


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 3)


if __name__ == "__main__":
    sys.exit(main())
