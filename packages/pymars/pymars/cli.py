# Language policy: EXEMPT from the Rust-path rule. Parses arguments and calls the library.
"""The command line: fit, predict, plot, inspect, validate, doctor."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pymars._core import SPEC_VERSION, __version__, available_threads
from pymars.errors import EarthError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pymars.batches import BatchReplay

__all__ = ["main"]

_EXAMPLES = """
\b
Examples:
  mars-earth fit train.csv --target y --output model.json --max-degree 2
  mars-earth predict model.json new.csv --output predictions.csv
  mars-earth plot model.json train.csv --output plot.svg
  mars-earth inspect model.json
  mars-earth validate model.json

\b
Completion, for bash:
  eval "$(_MARS_EARTH_COMPLETE=bash_source mars-earth)"
"""


class _Group(click.Group):
    """Turn the library's errors into one line and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EarthError as error:
            click.echo(f"mars-earth: {error}", err=True)
            ctx.exit(2)


def _span(text: str) -> float:
    """Read rows as a whole number and a risk as a fraction."""
    return float(text) if "." in text else int(text)


@click.group(cls=_Group, epilog=_EXAMPLES)
@click.version_option(__version__, prog_name="mars-earth")
def main() -> None:
    """Fit MARS models and replay them."""


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--target", "-t", required=True, multiple=True, help="Response column; repeatable.")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Model file.")
@click.option("--weights", help="Column of row weights.")
@click.option("--categorical", "-c", multiple=True, help="Column of labels; repeatable.")
@click.option("--ignore", multiple=True, help="Column to leave out; repeatable.")
@click.option("--max-degree", default=1, show_default=True, help="Most factors of a term.")
@click.option("--max-terms", type=int, help="Most terms grown.  [default: 201]")
@click.option("--penalty", type=float, help="Price of a knot in the GCV.  [default: 3]")
@click.option("--thresh", type=float, help="Least gain of a step.  [default: look ahead]")
@click.option("--minspan", type=_span, help="Rows between knots.  [default: from the data]")
@click.option("--endspan", type=_span, help="Rows without a knot at each end.")
@click.option("--compat", type=click.Choice(["earth"]), help="Keep the rules of R earth.")
@click.option("--knots", type=click.Choice(["exact", "hist"]), default="exact", show_default=True)
@click.option(
    "--pmethod",
    default="backward",
    show_default=True,
    help="How terms are pruned: backward, none, exhaustive, forward, seqrep or cv.",
)
@click.option("--nprune", type=int, help="Most terms that stay.")
@click.option("--allow-missing", is_flag=True, help="Impute empty cells instead of refusing them.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar, no summary.")
def fit(
    data: Path,
    target: tuple[str, ...],
    output: Path,
    weights: str | None,
    categorical: tuple[str, ...],
    ignore: tuple[str, ...],
    quiet: bool,
    **options: Any,
) -> None:
    """Fit a model to a CSV or Parquet file and save it as JSON."""
    from pymars.earth import Earth
    from pymars.files import read_columns
    from pymars.runtime import save_model

    needed = [*target, *([weights] if weights is not None else [])]
    columns = read_columns(data, categorical, ignore=ignore, needed=needed)
    responses = {name: columns.pop(name) for name in dict.fromkeys(target)}
    sample_weight = columns.pop(weights) if weights is not None else None
    shown = not quiet and sys.stderr.isatty()
    model = Earth(**options, verbose=shown).fit(columns, responses, sample_weight)
    save_model(model, output)
    if not quiet:
        click.echo(model.summary())
        click.echo(f"saved {output}")


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="CSV, Parquet or Arrow file.  [default: screen]",
)
@click.option("--threads", type=int, help="Most threads (H1, not claimed).  [default: 1]")
@click.option(
    "--memory-limit", default="256MB", show_default=True, help="Most bytes of a batch of rows."
)
@click.option("--stats", is_flag=True, help="Say what the replay took, on standard error.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def predict(
    model: Path,
    data: Path,
    output: Path | None,
    threads: int | None,
    memory_limit: str,
    stats: bool,
    quiet: bool,
) -> None:
    """Replay a model on the rows of a CSV, Parquet or Arrow file, batch by batch."""
    from pymars.batches import predict_batches
    from pymars.files import write_batches
    from pymars.runtime import load_model

    loaded = load_model(model)
    names = loaded.response_names
    replay = predict_batches(loaded, data, memory_limit=memory_limit, threads=threads)
    shown = not quiet and output is not None and sys.stderr.isatty()
    batches = (found.reshape(len(found), -1) for found in _with_progress(replay, shown))
    write_batches(names, batches, output)
    if stats:
        for name, value in replay.info.items():
            click.echo(f"{name} {value}", err=True)


def _with_progress(replay: BatchReplay, shown: bool) -> Iterator[NDArray[np.float64]]:
    """Pass batches on, and show on a terminal how many of the rows they were."""
    if not shown:
        yield from replay
        return
    # Where no length is known click wants something to walk along that does not tell its own.
    along: Any = filter(None, ()) if replay.n_rows is None else None
    bar: Any
    with click.progressbar(
        along, length=replay.n_rows, label="rows", show_pos=True, file=sys.stderr
    ) as bar:
        for found in replay:
            yield found
            bar.update(len(found))


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="PNG, SVG or PDF file."
)
def plot(model: Path, data: Path, output: Path) -> None:
    """Draw the prediction against each feature, over the rows of a CSV or Parquet file."""
    from pymars.files import read_columns, write_figure
    from pymars.plots import plot_features
    from pymars.runtime import load_model

    loaded = load_model(model)
    labelled = [f["name"] for f in loaded.spec["features"] if "categories" in f]
    columns = read_columns(data, labelled, only=loaded.feature_names)
    write_figure(plot_features(loaded, columns), output)


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(model: Path, as_json: bool) -> None:
    """Describe a model: features, terms, figures of the fit."""
    from pymars.runtime import inspect as describe

    found = describe(model)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [["term", *found["responses"]]]
    for term in found["terms"]:
        rows.append([term["label"], *(f"{value:.7g}" for value in term["coefficients"])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    producer = found["producer"] or {"name": "unknown", "version": "unknown"}
    click.echo(
        f"ModelSpec {found['spec_version']} by {producer['name']} {producer['version']}, "
        f"{len(found['features'])} features, {found['n_terms']} terms, "
        f"degree {found['max_degree']}" + (f", link {found['link']}" if found["link"] else "")
    )
    for name, value in found["fit"].items():
        click.echo(f"{name} {value:.7g}")


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
def validate(model: Path) -> None:
    """Check a model against the ModelSpec contract; exit 2 when it breaks it."""
    from pymars.runtime import validate as check

    for warning in check(model):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{model}: valid ModelSpec")


@main.command()
def doctor() -> None:
    """Say what is installed and what the process may use."""
    from importlib.metadata import PackageNotFoundError, version

    from pymars.runtime import runtime_threads

    click.echo(f"mars-earth {__version__}, ModelSpec {SPEC_VERSION}")
    click.echo(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name, use in [
        ("numpy", "arrays"),
        ("scikit-learn", "estimators"),
        ("pyarrow", "Parquet files; install with: python3 -m pip install 'mars-earth[arrow]'"),
        ("matplotlib", "plots; install with: python3 -m pip install 'mars-earth[plots]'"),
    ]:
        try:
            click.echo(f"{name} {version(name)}")
        except PackageNotFoundError:
            click.echo(f"{name} not installed ({use})")
    click.echo(f"threads: {runtime_threads()} used by default, {available_threads()} available")


if __name__ == "__main__":
    main()
