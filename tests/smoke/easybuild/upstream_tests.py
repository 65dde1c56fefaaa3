# Language policy: EXEMPT from the Rust-path rule. Runs upstream's tests; no computation.
"""Run upstream's tests of a pull request on one easyconfig, and print the outcome as one line of JSON.

`hpcgate.lanes.easybuild_smoke` runs this file with the Python that holds EasyBuild, in a copy of
easybuild-easyconfigs that holds the easyconfig at its place. Upstream asks git which files a pull
request adds; here the argument says it, so no commit is needed.
"""

from __future__ import annotations

import json
import os
import sys
import unittest
from importlib import metadata
from pathlib import Path
from typing import Any


def main(path: str) -> int:
    """Run every test that upstream runs on a file which a pull request adds."""
    os.environ |= {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_BASE_REF": "develop"}
    sys.path.insert(0, os.getcwd())
    from test.easyconfigs import easyconfigs as upstream

    upstream.get_files_from_diff = lambda diff_filter, ext: (
        [path] if diff_filter == "A" and path.endswith(ext) else []
    )
    # Upstream makes one such test for each easyconfig it holds.
    case = upstream.EasyConfigTest
    case.test_easyconfig = lambda self: upstream.template_easyconfig_test(self, path)
    names = [name for name in dir(case) if name.startswith("test_pr_")]
    suite = unittest.TestSuite(map(case, ["test_easyconfig", *names]))
    result = unittest.TextTestRunner(sys.stderr, verbosity=2).run(suite)
    red = {_name(test): text for test, text in [*result.failures, *result.errors]}
    red |= {_name(test): f"skipped: {why}" for test, why in result.skipped}
    tests = [
        {"name": name, "passed": name not in red, "detail": _last(red.get(name, ""))}
        for name in map(_name, map(case, ["test_easyconfig", *names]))
    ]
    versions = {"easybuild-framework": metadata.version("easybuild-framework")}
    print(json.dumps({"tests": tests, "versions": versions, "measurements": {}}))
    return 0 if not red else 1


def _name(test: Any) -> str:
    return "upstream-" + test._testMethodName.removeprefix("test_").replace("_", "-").lower()


def _last(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]).absolute())))
