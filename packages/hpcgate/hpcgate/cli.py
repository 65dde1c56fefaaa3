# Language policy: EXEMPT from the Rust-path rule. Parses arguments and calls modules.
"""The command line of the maintainer library.

Every command imports its module when it runs, so that `hpcgate --help` stays quick and a gate that
needs one library does not demand all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType

from hpcgate.errors import GateError
from hpcgate.repo import find_root
from hpcgate.supply.command import provenance_app, sbom_app, write_crates

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Generate recipes, record evidence, compute the level, check claims, assemble packets.",
)
evidence_app = typer.Typer(no_args_is_help=True, help="List and verify evidence records.")
app.add_typer(evidence_app, name="evidence")
lanes_app = typer.Typer(no_args_is_help=True, help="Say who may touch what.")
app.add_typer(lanes_app, name="lanes")
app.add_typer(sbom_app, name="sbom")
app.add_typer(provenance_app, name="provenance")
app.command("crates")(write_crates)

Root = Annotated[Path | None, typer.Option("--root", help="Checkout; found from here by default.")]
Check = Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 on a difference.")]
Release = Annotated[bool, typer.Option("--release", help="Accept current evidence only.")]


@app.command()
def generate(
    root: Root = None,
    check: Check = False,
    sdist: Annotated[
        Path | None, typer.Option(help="Pin the digest of this sdist in packaging/release.yaml.")
    ] = None,
) -> None:
    """Write the recipes and the derived blocks from `packaging/`.

    Example: `hpcgate generate --check`
    """
    from hpcgate.lanes import generate as run

    changed = run(find_root(root), check=check, sdist=sdist)
    for path in changed:
        print(f"{'differs' if check else 'wrote'}: {path}")
    if check and changed:
        print("run: nox -s gen", file=sys.stderr)
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def claims(context: typer.Context) -> None:
    """Check every document, docstring and recipe text for claims above the level.

    Takes the options of `scripts/check_hpc_claims.py`. Example: `hpcgate claims --strict`
    """
    from hpcgate.claims import main as run

    raise typer.Exit(run(context.args))


@app.command()
def level(
    root: Root = None,
    release: Release = False,
    explain: Annotated[bool, typer.Option(help="Say what the next level lacks.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compute the level that the evidence supports.

    Example: `hpcgate level --explain`
    """
    from hpcgate import levels, report

    assessment = levels.assess(find_root(root), release=release)
    if json:
        print(assessment.model_dump_json(indent=2))
    else:
        _show(report.table(assessment))
    if explain:
        for line in levels.explain(assessment):
            print(line)


@app.command()
def packets(root: Root = None, check: Check = False, release: Release = False) -> None:
    """Assemble the packets for HPSF, E4S and the package managers from level and evidence.

    Example: `hpcgate packets --check`
    """
    from hpcgate import packets as module

    built = module.build(find_root(root), check=check, release=release)
    for packet in built:
        print(packet.summary())
    if check and any(packet.changed for packet in built):
        print("run: nox -s packets", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def bundle(
    root: Root = None,
    verify: Annotated[
        Path | None,
        typer.Option(help="Check this unpacked bundle instead; exit 1 on a difference."),
    ] = None,
) -> None:
    """Pack what a site without network needs into one archive in `dist/`, or check one.

    Example: `hpcgate bundle --verify mars-earth-2.0.0-bundle`
    """
    from hpcgate import bundle as module

    if verify is None:
        where = find_root(root)
        print(module.make_bundle(where, where / "dist"))
        return
    wrong = module.verify(verify)
    for line in wrong:
        print(line)
    raise typer.Exit(1 if wrong else 0)


@app.command()
def status(root: Root = None, release: Release = False) -> None:
    """Print the one table: requirements, level, packets.

    Example: `hpcgate status`
    """
    from hpcgate import levels, packets, report

    where = find_root(root)
    assessment = levels.assess(where, release=release)
    _show(report.table(assessment, packets.build(where, check=True, release=release)))


@app.command()
def policy(
    root: Root = None,
    fix: Annotated[bool, typer.Option(help="Write missing headers and tables.")] = False,
    coverage: Annotated[
        Path | None, typer.Option(help="Hold this report of `coverage json` to 95 % per module.")
    ] = None,
) -> None:
    """Check the language policy: every module has its row, every row its module.

    Example: `hpcgate policy`
    """
    from hpcgate import policy as module

    where = find_root(root)
    if fix:
        for path in module.fix(where):
            print(f"wrote: {path}")
    findings = module.check(where)
    if coverage is not None:
        findings += module.check_coverage(where, coverage)
    for finding in findings:
        print(finding)
    raise typer.Exit(1 if findings else 0)


@app.command()
def chains(root: Root = None, check: Check = False) -> None:
    """Derive the order of tiers from `docs/benchmarks` into the library.

    Example: `hpcgate chains --check`
    """
    from hpcgate import chains as module

    where = find_root(root)
    differing = module.write(where, check=check)
    for path in differing:
        print(f"{'differs' if check else 'wrote'}: {path}")
    for line in module.stale(where):
        print(f"stale: {line}")
    if check and differing:
        print("run: hpcgate chains", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def release(root: Root = None) -> None:
    """Say which audits keep a release back; exit 1 where one does.

    Example: `hpcgate release`
    """
    from hpcgate.supply.release import blockers

    if found := blockers(find_root(root)):
        for line in found:
            print(line, file=sys.stderr)
        raise typer.Exit(1)
    print("every audit passed")


@app.command()
def doctor(root: Root = None) -> None:
    """List every tool the sessions use, with its version or the command that installs it.

    Example: `hpcgate doctor`
    """
    from hpcgate import doctor as module

    _show(module.table(find_root(root)))


@lanes_app.command("check")
def lanes_check(
    commits: Annotated[str, typer.Argument(help="A range as git takes it.", metavar="BASE..HEAD")],
    root: Root = None,
) -> None:
    """Name the lanes each commit touches; exit 1 where one reaches into another unexplained.

    A commit explains itself by a last line `Crosses-lanes: why`. Example:
    `hpcgate lanes check main..HEAD`
    """
    from hpcgate import ownership

    judged = ownership.check(find_root(root), commits)
    for commit in judged:
        print(f"{commit.id} {', '.join(commit.lanes) or 'no lane'}: {commit.subject}")
        for crossing in commit.crossings:
            print(f"  {crossing}" + (f"; it says: {commit.reason}" if commit.reason else ""))
    if refused := [commit.id for commit in judged if commit.refused]:
        print(
            f"refused: {', '.join(refused)}; split the commit by lane, "
            f"or end its message with `{ownership.TRAILER}: why`",
            file=sys.stderr,
        )
        raise typer.Exit(1)


@evidence_app.command("list")
def evidence_list(root: Root = None) -> None:
    """List the records with their state and age."""
    from hpcgate import evidence, report

    _show(report.records(evidence.load(find_root(root))))


@evidence_app.command("verify")
def evidence_verify(root: Root = None, release: Release = False) -> None:
    """Re-check every digest, name what is stale and since when; exit 1 on a finding.

    A tampered or unreadable record is a finding; with `--release` a stale one is too.
    """
    from hpcgate import evidence

    where = find_root(root)
    findings = evidence.verify(where, release=release)
    for line in (*findings, *evidence.summary(where)):
        print(line)
    raise typer.Exit(1 if findings else 0)


@evidence_app.command("page")
def evidence_page(root: Root = None, release: Release = False) -> None:
    """Write build/evidence.html: the level and everything behind it on one page.

    Example: `hpcgate evidence page`
    """
    from hpcgate import page

    where = find_root(root)
    print(f"wrote: {page.write(where, release=release).relative_to(where)}")


@evidence_app.command("record")
def evidence_record(
    check: Annotated[str, typer.Argument(help="A check of packaging/levels.yaml.")],
    command: Annotated[str, typer.Option(help="What was run.")],
    started: Annotated[str, typer.Option(help="ISO 8601 with an offset.")],
    finished: Annotated[str, typer.Option(help="ISO 8601 with an offset.")],
    outcome: Annotated[str | None, typer.Option(help="pass, fail or unavailable.")] = None,
    subject: Annotated[list[Path] | None, typer.Option(help="A file that was judged.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is no pass.")] = "",
    tool: Annotated[list[str] | None, typer.Option(help="name=version")] = None,
    measurement: Annotated[list[str] | None, typer.Option(help="name=value")] = None,
    passed: Annotated[list[str] | None, typer.Option(help="A test that passed.")] = None,
    failed: Annotated[list[str] | None, typer.Option(help="A test that failed.")] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML; its tests decide.")] = None,
    only: Annotated[str, typer.Option(help="Take only tests whose name holds this.")] = "",
    root: Root = None,
) -> None:
    """Append one record; a run that says nothing new is not written.

    Example: `hpcgate evidence record tests --junit build/junit.xml --subject noxfile.py ...`
    """
    from hpcgate import evidence

    record = evidence.record_options(
        find_root(root),
        check,
        outcome=outcome,
        subjects=subject or (),
        command=command,
        started=started,
        finished=finished,
        reason=reason,
        tools=tool or (),
        measurements=measurement or (),
        passed=passed or (),
        failed=failed or (),
        junit=junit,
        only=only,
    )
    print(f"{record.outcome}: {record.path}")


def _show(what: RenderableType) -> None:
    """Print for the terminal at hand, or 100 columns wide into a file or pipe."""
    console = Console()
    (console if console.is_terminal else Console(width=100)).print(what)


def main() -> None:
    """Run the command line; a GateError is one line and exit status 2."""
    try:
        app()
    except GateError as error:
        print(f"hpcgate: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
