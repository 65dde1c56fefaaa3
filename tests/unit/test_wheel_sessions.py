"""The sessions of wheels from the command line to the record, and what the tools say of a wheel.

The room's Python and the tools that judge wheels are scripts that print what the real ones do.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpcgate import sdist, smoke_wheel
from hpcgate.cleanroom import load_image
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.repo import find_root
from hpcgate.smoke import Smoke
from hpcgate.wheels import Built, session
from hpcgate.wheels.checks import check, check_metadata
from hpcgate.wheels.project import OUT, SMOKE_SCRIPT

Script = Callable[[str, str], Path]
TOOLS = find_root(Path(__file__)) / "packaging" / "tools.yaml"
MACHINE = platform.machine()
TAG = f"manylinux_2_17_{MACHINE}"
WHEEL = f"mars_earth-2.0.0-cp310-abi3-{TAG}.whl"
TESTS = [{"name": "fits", "passed": True, "detail": ""}]
REPORT = json.dumps({"tests": TESTS, "versions": {"numpy": "2"}, "measurements": {}})
# As the tools print them; auditwheel's report is shortened.
AUDITWHEEL = f"print({json.dumps({'overall_tag': TAG, 'sym_policy': TAG})!r})"
ABI3AUDIT = (
    "import sys; print('[12:00:00] OK : a.whl: 1 extensions scanned; 0 ABI version mismatches "
    "and 0 ABI violations found', file=sys.stderr)"
)
TWINE = "import sys; print('Checking', sys.argv[-1] + ': PASSED')"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install the tools that judge wheels in front of any that are here."""
    site = tmp_path / "tools"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(site))

    def write(**scripts: str) -> None:
        for name, text in scripts.items():
            (site / f"{name}.py").write_text(text + "\n")

    write(auditwheel=AUDITWHEEL, abi3audit=ABI3AUDIT, twine=TWINE)
    return write


@pytest.fixture
def root(definitions: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (definitions / "dist").mkdir()
    (definitions / "dist" / "mars_earth-2.0.0.tar.gz").write_bytes(b"sdist")
    (definitions / SMOKE_SCRIPT).parent.mkdir(parents=True)
    (definitions / SMOKE_SCRIPT).write_text("print('smoke')\n")
    (definitions / "build").mkdir()
    (definitions / "packaging").mkdir()
    shutil.copyfile(TOOLS, definitions / "packaging" / "tools.yaml")
    for module in (session, smoke_wheel, sdist):
        monkeypatch.setattr(module, "find_root", lambda *given: definitions)
    return definitions


@pytest.fixture
def concluded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Outcome, str]]:
    """Take the place of the record: check, outcome and reason."""
    seen: list[tuple[str, Outcome, str]] = []

    def conclude(smoke: Smoke, *given: Any, **options: Any) -> Outcome:
        seen.append((given[2], smoke.outcome, smoke.reason))
        return smoke.outcome

    for module in (session, smoke_wheel):
        monkeypatch.setattr(module, "conclude", conclude)
    return seen


def results(smoke: Smoke) -> dict[str, bool]:
    return {test.name: test.passed for test in smoke.tests}


# What tools say of a wheel


def test_a_wheel_passes_with_the_words_of_each_tool(
    tmp_path: Path, tools: Callable[..., None]
) -> None:
    wheel, smoke = tmp_path / WHEEL, Smoke()
    wheel.write_bytes(b"wheel")
    check(smoke, wheel)
    check_metadata(smoke, [wheel, tmp_path / "mars_earth-2.0.0.tar.gz"])
    seen = {test.name.partition("-cp310")[0]: (test.passed, test.detail) for test in smoke.tests}
    assert seen == {
        "at-most-6-mb": (True, "5 bytes"),
        "auditwheel": (True, f"consistent with {TAG}"),
        "abi3audit": (
            True, "1 extensions scanned; 0 ABI version mismatches and 0 ABI violations found",
        ),
        "twine-check": (True, f"{WHEEL}, mars_earth-2.0.0.tar.gz"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "script", "failing", "detail"),
    [
        ("auditwheel", AUDITWHEEL.replace("_17_", "_35_"), "auditwheel", "consistent with manyl"),
        ("auditwheel", "raise SystemExit('no ELF file')", "auditwheel", "no ELF file"),
        ("abi3audit", "raise SystemExit('a symbol that is not stable')", "abi3audit", "a symbol"),
        ("twine", "raise SystemExit('ERROR a description')", "twine-check", "ERROR a desc"),
    ],
)
def test_a_tool_that_refuses_fails_the_wheel_with_its_words(
    tmp_path: Path, tools: Callable[..., None], tool: str, script: str, failing: str, detail: str
) -> None:
    tools(**{tool: script})
    wheel, smoke = tmp_path / WHEEL, Smoke()
    wheel.write_bytes(b"wheel")
    check(smoke, wheel)
    check_metadata(smoke, [wheel])
    (failed,) = (test for test in smoke.tests if not test.passed)
    assert failed.name.startswith(failing) and failed.detail.startswith(detail)


# nox -s smoke-wheel


def test_the_one_wheel_in_dist_is_installed_and_used(
    root: Path, here: Any, concluded: list[tuple[str, Outcome, str]]
) -> None:
    here.python(REPORT)
    (root / "dist" / WHEEL).write_bytes(b"wheel")
    assert smoke_wheel.main([]) == 0
    assert concluded == [("smoke-wheel", "pass", "")]
    log = (root / smoke_wheel.LOG).read_text()
    assert "== download: exit 0" in log and "== use: exit 0" in log
    here.program("python3", "echo 'no module ensurepip' >&2; exit 1")
    assert smoke_wheel.main(["--wheel", str(root / "dist" / WHEEL)]) == 1
    assert concluded[1][1:] == ("fail", "installs-from-wheels-only: no module ensurepip")


@pytest.mark.parametrize("count", [0, 2])
def test_without_one_wheel_nothing_is_chosen(root: Path, count: int) -> None:
    for number in range(count):
        (root / "dist" / f"a-{number}-py3-none-any.whl").touch()
    found = "a-0-py3-none-any.whl, a-1" if count else "none"
    with pytest.raises(GateError, match=f"dist/ should hold one wheel; found: {found}"):
        smoke_wheel.main([])


@pytest.mark.skipif(MACHINE != "x86_64", reason="old processors are those of x86-64")
def test_an_old_processor_runs_the_script_again_and_is_named_when_it_cannot(
    root: Path, here: Any, script: Script, concluded: list[tuple[str, Outcome, str]]
) -> None:
    here.python(REPORT)
    (root / "dist" / WHEEL).write_bytes(b"wheel")
    script("qemu-x86_64-static", '[ "$1 $2" = "-cpu Nehalem" ] || exit 132; shift 2; exec "$@"')
    assert smoke_wheel.main(["--processor", "Nehalem"]) == 0
    assert smoke_wheel.main(["--processor", "Conroe"]) == 1
    assert concluded[1][1:] == ("fail", "works-on-conroe: exit 132")


def test_no_emulator_names_what_installs_one(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    wheel = root / "mars_earth-2.0.0-py3-none-any.whl"
    wheel.touch()
    with pytest.raises(GateError, match="qemu-x86_64-static is not installed; apt-get install"):
        smoke_wheel.examine(Smoke(), root, wheel, processors=["Nehalem"])
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(GateError, match="not emulated on another machine"):
        smoke_wheel.examine(Smoke(), root, wheel, processors=["Nehalem"])


# nox -s wheels


@pytest.fixture
def built(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the builder leave wheels of these names."""

    def write(*names: str, way: str = "own", **more: Any) -> None:
        def build(*given: object, **options: object) -> Built:
            (root / OUT).mkdir(parents=True, exist_ok=True)
            paths = [root / OUT / name for name in names]
            for path in paths:
                path.write_bytes(b"wheel")
            return Built(way, paths, {"way": way}, {"build_seconds": 1.0}, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(session, "build", build)

    class Unpacked:
        def __init__(self, *given: object) -> None:
            self.path = root

        def __enter__(self) -> Path:
            return self.path

        def __exit__(self, *given: object) -> None:
            pass

    def again(checkout: Path, out: Path) -> Path:
        return Path(shutil.copy(root / "dist" / "mars_earth-2.0.0.tar.gz", out))

    monkeypatch.setattr(session, "unpacked", Unpacked)
    monkeypatch.setattr(session, "make_sdist", again)
    return write


@pytest.mark.usefixtures("tools")
def test_the_wheels_are_checked_used_and_recorded(
    root: Path, here: Any, script: Script, built: Callable[..., None],
    concluded: list[tuple[str, Outcome, str]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    here.python(REPORT)
    script("qemu-x86_64-static", 'shift 2; exec "$@"')
    built(WHEEL, refused=["official: no such host"], offline=True)
    assert session.main(["--way", "own"]) == 0
    assert concluded == [("wheels", "pass", "")]
    digest = hashlib.sha256(b"sdist").hexdigest()
    assert (root / OUT / ".sdist").read_text() == digest
    assert "== use: exit 0" in (root / "build" / "logs" / "wheels-use.log").read_text()
    # A wheel for musl, and one of another system, has been used where it was built.
    here.networks.clear()
    musl = Path(f"mars_earth-2.0.0-cp310-abi3-musllinux_1_2_{MACHINE}.whl")
    session._use(Smoke(), root, [musl], "auto")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    session._use(Smoke(), root, [root / OUT / WHEEL], "auto")
    assert here.networks == []


@pytest.mark.usefixtures("tools")
def test_a_cross_wheel_has_a_check_of_its_own_and_the_room_of_its_architecture(
    root: Path, here: Any, built: Callable[..., None], concluded: list[tuple[str, Outcome, str]],
    tools: Callable[..., None],
) -> None:  # fmt: skip
    machine = "ppc64le" if MACHINE != "ppc64le" else "aarch64"
    assert load_image(root, session._rooms()[machine][0]).packages
    here.python(REPORT)
    tag = f"manylinux_2_28_{machine}"
    tools(auditwheel=AUDITWHEEL.replace(TAG, tag))
    built(f"mars_earth-2.0.0-cp310-abi3-{tag}.whl", way="cross")
    assert session.main(["--way", "cross", "--archs", machine]) == 0
    assert concluded == [(f"wheels-{machine}", "pass", "")]


# nox -s build


def test_sdist_and_wheel_are_printed_with_their_digests(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = root / "dist" / "mars_earth-2.0.0.tar.gz"

    def make_wheel(checkout: Path, given: Path, out: Path) -> Path:
        (out / WHEEL).write_bytes(given.read_bytes())
        return out / WHEEL

    monkeypatch.setattr(sdist, "make_sdist", lambda checkout, out: archive)
    monkeypatch.setattr(sdist, "make_wheel", make_wheel)
    digest = hashlib.sha256(b"sdist").hexdigest()
    assert sdist.main(["--sdist-only"]) == 0
    assert capsys.readouterr().out == f"dist/{archive.name}  sha256 {digest}\n"
    assert sdist.main([]) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"dist/{WHEEL}  sha256 {digest}"


@pytest.mark.parametrize(
    ("cargo", "maturin", "message"),
    [
        ("echo 'error: no lock' >&2; exit 101", "exit 0", "cargo fetch failed with status 101"),
        ("exit 0", "echo built nothing", "maturin printed no .tar.gz file:"),
        ("exit 0", "echo gone.tar.gz", "maturin printed no .tar.gz file:"),
    ],
)
def test_a_tool_that_fails_or_builds_nothing_is_one_line(
    root: Path, script: Script, capsys: pytest.CaptureFixture[str], cargo: str, maturin: str,
    message: str,
) -> None:  # fmt: skip
    (root / "packages" / "pymars").mkdir(parents=True)
    (root / "packages" / "Cargo.lock").write_text("[[package]]\nname = 'own'\nversion = '1'\n")
    (root / "packages" / "pymars" / "Cargo.toml").write_text("[package]\n")
    script("cargo", cargo)
    script("maturin", maturin)
    assert sdist.main(["--sdist-only"]) == 2
    assert f"hpcgate: {message}" in capsys.readouterr().err


def test_a_tool_that_is_there_and_does_not_start_is_one_line(
    root: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script("cargo", "")
    path.write_text("#!/no/such/interpreter\n")
    monkeypatch.setenv("PATH", str(path.parent))
    (root / "packages" / "pymars").mkdir(parents=True)
    (root / "packages" / "pymars" / "Cargo.toml").write_text("[package]\n")
    with pytest.raises(GateError, match="cargo is not usable: does not run: FileNotFoundError"):
        sdist.make_sdist(root, root / "dist")
