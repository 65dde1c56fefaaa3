"""Lanes of work: which a commit touches, and when it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from hpcgate import ownership
from hpcgate.cli import app
from hpcgate.errors import GateError


def change(checkout: Any, message: str, *names: str) -> None:
    for name in names:
        checkout.write(name, f"{message}\n")
    checkout.git("add", "--all")
    checkout.git("commit", "--quiet", "--message", message)


def judged(checkout: Any) -> list[ownership.Commit]:
    return ownership.check(checkout.root, "HEAD~1..HEAD")


def test_a_commit_within_its_lane_passes(checkout: Any) -> None:
    change(checkout, "one lane", "packaging/spack/new.yaml", "docs/install-spack.md", "other.txt")
    (commit,) = judged(checkout)
    assert (commit.subject, commit.lanes, commit.refused) == ("one lane", ("Spack",), False)


def test_a_commit_that_belongs_to_nobody_passes(checkout: Any) -> None:
    change(checkout, "no lane", "other.txt")
    (commit,) = judged(checkout)
    assert (commit.lanes, commit.crossings, commit.refused) == ((), (), False)


def test_a_commit_across_two_lanes_is_refused(checkout: Any) -> None:
    change(checkout, "two lanes", "packaging/spack/new.yaml", "packaging/easybuild/new.yaml")
    (commit,) = judged(checkout)
    assert commit.lanes == ("Spack", "EasyBuild")
    assert commit.crossings == (
        "Spack leaves packaging/easybuild/new.yaml alone",
        "EasyBuild leaves packaging/spack/new.yaml alone",
    )
    assert commit.refused


def test_a_commit_that_says_why_passes(checkout: Any) -> None:
    names = ("packaging/spack/new.yaml", "packaging/easybuild/new.yaml")
    change(checkout, "two lanes\n\nText.\n\nCrosses-lanes: one frame for both", *names)
    (commit,) = judged(checkout)
    assert commit.crossings and not commit.refused
    assert commit.reason == "one frame for both"


def test_a_word_in_the_text_is_no_reason(checkout: Any) -> None:
    names = ("packaging/spack/new.yaml", "packaging/easybuild/new.yaml")
    change(checkout, "two lanes\n\nCrosses-lanes: is what this does.\n\nMore text.", *names)
    assert judged(checkout)[0].refused


def test_recipes_follow_every_lane(checkout: Any) -> None:
    names = ("packages/rust-runtime/core/x.rs", "spack/x.py", "easybuild/x.eb")
    change(checkout, "regenerated", *names)
    (commit,) = judged(checkout)
    assert (commit.lanes, commit.refused) == (("CPU runtime",), False)


def test_the_range_is_judged_commit_by_commit(checkout: Any) -> None:
    change(checkout, "first", "packaging/spack/new.yaml")
    change(checkout, "second", "packaging/easybuild/new.yaml")
    found = ownership.check(checkout.root, "HEAD~2..HEAD")
    assert [commit.subject for commit in found] == ["first", "second"]
    assert not any(commit.refused for commit in found)


def test_an_unknown_range_is_one_clear_error(checkout: Any) -> None:
    with pytest.raises(GateError, match=r"git rev-list failed: .*nowhere"):
        ownership.check(checkout.root, "nowhere..HEAD")
    with pytest.raises(GateError, match="git rev-list failed"):
        ownership.check(checkout.root, "--output=x")


def test_the_command_names_the_lanes_and_what_to_do(checkout: Any) -> None:
    run = ["lanes", "check", "HEAD~1..HEAD", "--root", str(checkout.root)]
    change(checkout, "one lane", "packaging/spack/new.yaml")
    done = CliRunner().invoke(app, run)
    assert done.exit_code == 0 and "Spack: one lane" in done.output
    change(checkout, "two lanes", "packaging/spack/new.yaml", "packaging/easybuild/new.yaml")
    done = CliRunner().invoke(app, run)
    assert done.exit_code == 1
    assert "Crosses-lanes: why" in done.output
