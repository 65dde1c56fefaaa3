# Language policy: EXEMPT from the Rust-path rule. Arranges what git and the compiler say.
"""How the artefacts of a release were built: SLSA provenance v1 in an in-toto Statement v1.

It says what was built from what, by which session, with which tools. It supports SLSA build level 1
and no more: whoever can run the session can write it. It is unsigned, and names no host.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

from hpcgate.doctor import require
from hpcgate.errors import GateError
from hpcgate.evidence import contract
from hpcgate.evidence.inputs import Tree
from hpcgate.evidence.statement import as_utc
from hpcgate.facts import Facts, load
from hpcgate.repo import read_text, sha256_file
from hpcgate.supply.crates import LOCK, crates

__all__ = ["PREDICATE", "Build", "Toolchain", "provenance", "signature_words", "verify_provenance"]

PREDICATE = "https://slsa.dev/provenance/v1"
PAGE = "blob/main/docs/supply_chain.md"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Build:
    """One run of the session that built the artefacts; the check of its name has its inputs."""

    session: str
    started: datetime | str
    finished: datetime | str


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The compiler, by the commit it was built from, and the versions of the other tools."""

    rustc: str
    rustc_commit: str
    others: tuple[tuple[str, str], ...]

    @classmethod
    def here(cls, root: Path) -> Toolchain:
        """Ask the tools of this machine.

        Examples
        --------
        >>> from hpcgate.repo import find_root
        >>> Toolchain.here(find_root()).rustc  # doctest: +SKIP
        '1.95.0'
        """
        require("rustc", root=root)
        said = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
        commit = re.search(r"^commit-hash: ([0-9a-f]{40})$", said, re.MULTILINE)
        release = re.search(r"^release: (\S+)$", said, re.MULTILINE)
        others = [(name, require(name, root=root)) for name in ("cargo", "maturin")]
        python = ".".join(map(str, sys.version_info[:3]))
        return cls(
            release.group(1) if release else "unknown",
            commit.group(1) if commit else "",
            (*others, ("python", python)),
        )


def provenance(
    root: Path,
    artefacts: Sequence[Path],
    build: Build,
    *,
    byproducts: Sequence[Path] = (),
    toolchain: Toolchain | None = None,
) -> str:
    """Return the statement about some artefacts of one build, as JSON.

    Parameters
    ----------
    artefacts : sequence of Path
        Any files: the sdist, wheels, a bundle of the site.
    build : Build
        What ran, and when.
    byproducts : sequence of Path
        Files made on the way that are no artefacts, such as the SBOM.
    toolchain : Toolchain, optional
        The tools used; those of this machine by default.

    Raises
    ------
    GateError
        If a file cannot be read, two share a name, none is given, or the build ends before it
        starts.
    """
    started, finished = as_utc(build.started), as_utc(build.finished)
    if finished < started:
        raise GateError(f"the build ends at {_time(finished)}, before it starts")
    if not artefacts:
        raise GateError("no artefact to state anything about", hint="run: nox -s build")
    facts = load(root)
    tools = toolchain or Toolchain.here(root)
    predicate = {
        "buildDefinition": {
            "buildType": f"{facts.release.home}/{PAGE}#build-type",
            "externalParameters": {
                "repository": facts.release.home,
                "session": build.session,
                "version": str(facts.release.version),
            },
            "internalParameters": {"tools": {"rustc": tools.rustc, **dict(tools.others)}},
            "resolvedDependencies": [
                _source(root, facts, build.session),
                {"name": LOCK, "digest": {"sha256": sha256_file(root / LOCK)}},
                *_toolchain(tools),
                *_crates(root),
            ],
        },
        "runDetails": {
            "builder": _builder(facts),
            "metadata": {
                **_invocation(),
                "startedOn": _time(started),
                "finishedOn": _time(finished),
            },
            "byproducts": [
                {"name": name, "digest": {"sha256": digest}}
                for name, digest in _digests(byproducts).items()
            ],
        },
    }
    subjects = [
        ResourceDescriptor(name=name, digest={"sha256": digest}).pb
        for name, digest in _digests(artefacts).items()
    ]
    statement = Statement(subjects, PREDICATE, predicate)
    content = json_format.MessageToDict(statement.pb)
    _check(content, "the statement")
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def verify_provenance(path: Path) -> dict[str, str]:
    """Check a statement, and compare each subject with the file of its name beside it.

    Returns
    -------
    dict of str to str
        Name and digest of every subject.

    Raises
    ------
    GateError
        With the first thing that is wrong.
    """
    try:
        content = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError):
        raise GateError(f"{path.name} is not whole JSON") from None
    subjects = _check(content, path.name)
    for name, digest in subjects.items():
        if Path(name).name != name:
            raise GateError(f"{path.name}: the subject {name!r} is not a plain file name")
        if sha256_file(path.parent / name) != digest:
            raise GateError(f"{name} is not the file that {path.name} speaks of: digests differ")
    return subjects


def signature_words(path: Path) -> str:
    """Say whether a signature lies beside a file; whether it is good is for sigstore to say."""
    bundle = path.with_name(f"{path.name}.sigstore.json")
    if bundle.is_file():
        return f"{bundle.name} lies beside it; this command does not check it, sigstore does"
    return "unsigned: the digests fit, and nothing shows who wrote this"


def _check(content: Any, where: str) -> dict[str, str]:
    """Read a statement back as strictly as its schema allows; return its subjects."""
    try:
        if not isinstance(content, dict):
            raise TypeError("the document is not a map")
        parsed = json_format.ParseDict(content, statement_pb2.Statement())
        Statement.copy_from_pb(parsed).validate()
        if content["predicateType"] != PREDICATE:
            raise ValueError(f"the predicate is not {PREDICATE}")
        found = json_format.ParseDict(content["predicate"], Provenance())
        if not (found.build_definition.build_type and found.run_details.builder.id):
            raise ValueError("buildType and builder.id are required")
        subjects = {one.name: one.digest["sha256"] for one in parsed.subject}
    except (json_format.Error, ValueError, TypeError, KeyError, AttributeError) as error:
        said = " ".join(str(error).split())
        raise GateError(f"{where} is not SLSA provenance v1: {said}") from None
    return subjects


def _source(root: Path, facts: Facts, session: str) -> Json:
    """Name the commit, or say plainly that the files differ from every commit."""
    tree = Tree(root)
    commit = tree.commit(tree.select(contract(root).check(session).inputs))
    source: Json = {"name": "source", "uri": f"git+{facts.release.home}"}
    if re.fullmatch(r"[0-9a-f]{40,64}", commit):
        return {**source, "digest": {"gitCommit": commit}}
    return {**source, "annotations": {"uncommitted": commit}}


def _toolchain(tools: Toolchain) -> list[Json]:
    rustc: Json = {"name": "rustc", "uri": f"pkg:generic/rustc@{tools.rustc}"}
    if tools.rustc_commit:
        rustc["digest"] = {"gitCommit": tools.rustc_commit}
    return [
        rustc,
        *({"name": name, "uri": f"pkg:generic/{name}@{said}"} for name, said in tools.others),
    ]


def _crates(root: Path) -> list[Json]:
    return [
        {"uri": f"pkg:cargo/{crate.name}@{crate.version}", "digest": {"sha256": crate.sha256}}
        for crate in crates(root)
        if crate.sha256
    ]


def _builder(facts: Facts) -> Json:
    """Say what kind of place built it: a machine of GitHub, or somebody's own."""
    kind = "github-actions" if os.environ.get("GITHUB_ACTIONS") == "true" else "own-machine"
    return {"id": f"{facts.release.home}/{PAGE}#builder-{kind}"}


def _invocation() -> Json:
    """Name the run where a public one exists."""
    words = [
        os.environ.get(f"GITHUB_{name}", "")
        for name in ("SERVER_URL", "REPOSITORY", "RUN_ID", "RUN_ATTEMPT")
    ]
    if not all(words):
        return {}
    server, repository, run, attempt = words
    return {"invocationId": f"{server}/{repository}/actions/runs/{run}/attempts/{attempt}"}


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        if path.is_symlink() or not path.is_file():
            raise GateError(f"{path}: an artefact is a plain file")
        if path.name in found:
            raise GateError(f"two artefacts are named {path.name}")
        found[path.name] = sha256_file(path)
    return dict(sorted(found.items()))


def _time(when: datetime) -> str:
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
