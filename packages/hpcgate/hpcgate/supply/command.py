# Language policy: EXEMPT from the Rust-path rule. Parses arguments and prints; no computation.
"""The commands of the supply chain: `hpcgate crates`, `hpcgate sbom`, `hpcgate provenance`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpcgate.repo import find_root, read_text, write_text

__all__ = ["provenance_app", "sbom_app", "write_crates"]

sbom_app = typer.Typer(no_args_is_help=True, help="Write and verify CycloneDX documents.")
provenance_app = typer.Typer(no_args_is_help=True, help="Write and verify SLSA provenance.")

Root = Annotated[Path | None, typer.Option("--root", help="Checkout; found from here by default.")]
Out = Annotated[Path, typer.Option(help="Folder to write into.")]
DIST = Path("dist")


def write_crates(
    root: Root = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1.")] = False,
) -> None:
    """Write the table of crates and licences that cargo's metadata gives.

    Example: `hpcgate crates --check`
    """
    from hpcgate.supply.crates import TABLE, table_text

    path = find_root(root) / TABLE
    text = table_text(find_root(root))
    if path.is_file() and read_text(path) == text:
        return
    print(f"{'differs' if check else 'wrote'}: {TABLE}")
    if check:
        raise typer.Exit(1)
    write_text(path, text)


@sbom_app.command("write")
def sbom_write(
    root: Root = None,
    out: Out = DIST,
    environment: Annotated[
        bool, typer.Option("--environment", help="Describe this environment instead.")
    ] = False,
) -> None:
    """Write the document of the release, or of the environment it is tested in.

    Example: `hpcgate sbom write --out dist`
    """
    from hpcgate.supply.environment import environment_sbom
    from hpcgate.supply.sbom import release_sbom, stem

    where = find_root(root)
    text = environment_sbom(where) if environment else release_sbom(where)
    path = out / ("tests-environment.cdx.json" if environment else f"{stem(where)}.cdx.json")
    write_text(path, text)
    print(f"wrote: {path}")


@sbom_app.command("verify")
def sbom_verify(path: Path) -> None:
    """Hold a document against the CycloneDX 1.6 schema.

    Example: `hpcgate sbom verify dist/mars_earth-2.0.0.cdx.json`
    """
    from hpcgate.supply.sbom import verify_sbom

    verify_sbom(read_text(path), path.name)
    print(f"{path.name}: valid CycloneDX 1.6")


@provenance_app.command("write")
def provenance_write(
    artefacts: Annotated[list[Path], typer.Argument(help="Files that one build made.")],
    started: Annotated[str, typer.Option(help="ISO 8601 with an offset.")],
    finished: Annotated[str, typer.Option(help="ISO 8601 with an offset.")],
    session: Annotated[str, typer.Option(help="The nox session that ran.")] = "build",
    byproduct: Annotated[list[Path] | None, typer.Option(help="A file made on the way.")] = None,
    out: Out = DIST,
    root: Root = None,
) -> None:
    """Write how the artefacts were built.

    Example: `hpcgate provenance write dist/*.whl --started ... --finished ...`
    """
    from hpcgate.supply.provenance import Build, provenance
    from hpcgate.supply.sbom import stem

    where = find_root(root)
    build = Build(session, started, finished)
    text = provenance(where, artefacts, build, byproducts=byproduct or ())
    path = out / f"{stem(where)}.{session}.provenance.json"
    write_text(path, text)
    print(f"wrote: {path} (unsigned)")


@provenance_app.command("verify")
def provenance_verify(path: Path) -> None:
    """Check a statement and compare its subjects with the files beside it.

    Example: `hpcgate provenance verify dist/mars_earth-2.0.0.build.provenance.json`
    """
    from hpcgate.supply.provenance import signature_words, verify_provenance

    for name, digest in verify_provenance(path).items():
        print(f"{digest}  {name}")
    print(signature_words(path))
