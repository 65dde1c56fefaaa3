# Language policy: EXEMPT from the Rust-path rule. Calls the installed command; no computation.
"""Use what the variants arrow and plots bring: Parquet in, Parquet out, a figure.

Run inside the loaded environment; fails with an exit status when something is not as it should be.
"""

import subprocess
import tempfile
from pathlib import Path

import matplotlib
import pyarrow
import pyarrow.parquet
from sklearn.datasets import load_diabetes


def main() -> None:
    """Fit, replay and draw by the command line."""
    X, y = load_diabetes(return_X_y=True, as_frame=False)
    table = pyarrow.table({**{f"x{j}": X[:, j] for j in range(X.shape[1])}, "y": y})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pyarrow.parquet.write_table(table, folder / "data.parquet")
        for line in (
            "fit data.parquet --target y --output model.json",
            "predict model.json data.parquet --output found.parquet",
            "plot model.json data.parquet --output model.svg",
        ):
            subprocess.run(["mars-earth", *line.split()], cwd=folder, check=True, timeout=120)
        rows = pyarrow.parquet.read_table(folder / "found.parquet").num_rows
        drawn = (folder / "model.svg").read_text(encoding="utf-8")
    if rows != len(y) or "<svg" not in drawn:
        raise SystemExit(f"{rows} rows replayed, {len(drawn)} characters drawn")
    print(f"pyarrow {pyarrow.__version__}, matplotlib {matplotlib.__version__}: used")


if __name__ == "__main__":
    main()
