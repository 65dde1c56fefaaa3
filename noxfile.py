# Language policy: EXEMPT from the Rust-path rule. Calls tools; no logic beyond that.
"""Every task of the repository.

`nox` alone is the main job: build, recipes, clean-room smoke, claims, evidence, packets, and the
table of levels. `nox -s tests` runs every test that needs no special machine, `nox -t check` is the
daily loop, `nox -l` lists the rest. Arguments after `--` go to the tool of the session.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.error_on_external_run = False
nox.options.sessions = ["build", "gen", "smoke-wheel", "claims", "evidence", "packets", "level"]

ROOT = Path(__file__).parent
DIST = ROOT / "dist"
PATH = os.environ["PATH"]
REPORTS = ROOT / "build" / "reports"
# nox gives every session an environment of its own; ours share a few, made by `enter`.
task = functools.partial(nox.session, venv_backend="none")


@task()
def build(session: nox.Session) -> None:
    """Build the sdist with its crates, the wheel from it without network, SBOM and provenance."""
    gates(session)
    started = now()
    session.run("python", "-m", "hpcgate.sdist")
    built = [str(path) for path in (*DIST.glob("mars_earth-*.tar.gz"), *DIST.glob("*.whl"))]
    times = [f"--started={started}", f"--finished={now()}"]
    subjects = [f"--subject={path}" for path in built]
    record(session, "build", started, "--outcome=pass", *subjects)
    session.run("hpcgate", "sbom", "write")
    sbom = str(next(DIST.glob("mars_earth-*.cdx.json")))
    record(session, "sbom", started, "--outcome=pass", f"--subject={sbom}")
    prove(session, [*times, f"--byproduct={sbom}", *built])
    record(session, "provenance", started, "--outcome=pass", *subjects)


@task()
def gen(session: nox.Session) -> None:
    """Write recipes and derived blocks from `packaging/`; `-- --check` only compares."""
    gates(session)
    started = now()
    session.run("python", "-m", "hpcgate.sdist", "--sdist-only")
    sdist = next(DIST.glob("mars_earth-*.tar.gz"))
    session.run("hpcgate", "generate", "--sdist", str(sdist), *session.posargs)
    session.run("hpcgate", "crates", *session.posargs)
    report = REPORTS / "recipes.xml"
    tests = ["python", "-m", "pytest", "-q", "tests/recipes", f"--junitxml={report}"]
    session.run(*tests, success_codes=[0, 1])
    for check in ("recipes", "dependency-policy"):
        record(session, check, started, f"--junit={report}", f"--subject={sdist}")
    session.run("python", "-c", FAIL_ON_RED, str(report))


@task(name="smoke-wheel")
def smoke_wheel(session: nox.Session) -> None:
    """Install the wheel in a clean root without build tools, and use it there."""
    gates(session)
    provide(session, bwrap="bubblewrap", mmdebstrap="mmdebstrap")
    session.run("python", "-m", "hpcgate.smoke_wheel", *session.posargs)


@task()
def wheels(session: nox.Session) -> None:
    """Build wheels with cibuildwheel or zig, check and use them; `-- --way own` chooses."""
    enter(session, "wheels", "-e", "packages/hpcgate[build,wheels]")
    if sys.platform == "linux":
        provide(session, bwrap="bubblewrap", mmdebstrap="mmdebstrap", podman="podman")
        provide(session, **{"qemu-x86_64-static": "qemu-user-static"})
    session.run("python", "-m", "hpcgate.sdist", "--sdist-only")
    session.run("python", "-m", "hpcgate.wheels.session", *session.posargs)


@task()
def containers(session: nox.Session) -> None:
    """Try the wheel on other systems; build and use the runtime image; `-- PART` chooses."""
    enter(session, "containers", "-e", "packages/hpcgate[build,containers]")
    provide(session, bwrap="bubblewrap", mmdebstrap="mmdebstrap", podman="podman")
    session.run("python", "-m", "hpcgate.sdist")
    session.run("python", "-m", "hpcgate.containers.session", *session.posargs)


@task(name="smoke-spack")
def smoke_spack(session: nox.Session) -> None:
    """Install from the Spack recipe with a real Spack, without network."""
    gates(session)
    pack(session)
    session.run("python", "-m", "hpcgate.lanes.spack_smoke", *session.posargs)


@task(name="smoke-easybuild")
def smoke_easybuild(session: nox.Session) -> None:
    """Build the easyconfig with a real EasyBuild on a stand-in site, without network."""
    gates(session)
    pack(session)
    session.run("python", "-m", "hpcgate.lanes.easybuild_smoke", *session.posargs)


@task(name="smoke-conda-forge")
def smoke_conda_forge(session: nox.Session) -> None:
    """Build the conda-forge recipe with a real rattler-build on a stand-in channel."""
    gates(session)
    pack(session)
    session.run("python", "-m", "hpcgate.lanes.conda_forge_smoke", *session.posargs)


@task(tags=["check"])
def claims(session: nox.Session) -> None:
    """Check every document, docstring and recipe text for claims above the level."""
    gates(session)
    started = now()
    # What is recorded was read, all of it, in this run.
    gate = ["python", "scripts/check_hpc_claims.py", "--strict", "--fresh"]
    if session.posargs:
        session.run(*gate, *session.posargs)
        return
    subject = "--subject=packaging/claims.yaml"
    try:
        session.run(*gate)
    except nox.command.CommandFailed:
        record(session, "claims", started, "--outcome=fail", "--reason=see the findings", subject)
        raise
    record(session, "claims", started, "--outcome=pass", subject)


@task()
def evidence(session: nox.Session) -> None:
    """List the records, draw build/evidence.html, check digests; `-- --release` refuses stale."""
    gates(session)
    session.run("hpcgate", "evidence", "list")
    session.run("hpcgate", "evidence", "page", *session.posargs)
    session.run("hpcgate", "evidence", "verify", *session.posargs)


@task(name="evidence-page")
def evidence_page(session: nox.Session) -> None:
    """Open the evidence page in a headless Chromium, and judge it with axe."""
    enter(session, "browser", "-e", "packages/hpcgate[browser]")
    provide(session, chromium="chromium")
    wanted = {"HPC_NEED_BROWSER": "1"}
    tests = ["python", "-m", "pytest", "tests/governance/test_evidence_browser.py"]
    session.run(*tests, *session.posargs, env=wanted)


@task()
def packets(session: nox.Session) -> None:
    """Assemble the HPSF and E4S packets; `-- --check` only compares."""
    gates(session)
    session.run("hpcgate", "packets", *session.posargs)


@task(name="site-bundle")
def site_bundle(session: nox.Session) -> None:
    """Pack sdist, wheel, recipes, sources, guides and records into one archive for a site."""
    gates(session)
    started = now()
    session.run("python", "-m", "hpcgate.sdist")
    session.run("hpcgate", "bundle")
    times = [f"--started={started}", f"--finished={now()}"]
    prove(session, [*times, *map(str, DIST.glob("*-bundle.tar.gz"))])
    subjects = [f"--subject={path}" for path in DIST.glob("*-bundle.tar.gz")]
    record(session, "site-bundle", started, "--outcome=pass", *subjects)


@task()
def level(session: nox.Session) -> None:
    """Print the table: every requirement, the level declared, where the packets lie."""
    gates(session)
    session.run("hpcgate", "status", *session.posargs)


@task(tags=["check"])
def policy(session: nox.Session) -> None:
    """Check the language policy; `-- --fix` writes headers and tables.

    `-- --coverage build/reports/coverage.json` holds each module to what `nox -s tests` ran of it.
    """
    gates(session)
    session.run("hpcgate", "policy", *session.posargs)


@task()
def lanes(session: nox.Session) -> None:
    """Say which lanes of work each commit of a range touches; `-- main..HEAD`."""
    gates(session)
    session.run("hpcgate", "lanes", "check", *(session.posargs or ["origin/main..HEAD"]))


@task()
def doctor(session: nox.Session) -> None:
    """List every tool the sessions use, or the command that installs it."""
    gates(session)
    session.run("hpcgate", "doctor")


@task(tags=["check"])
def lint(session: nox.Session) -> None:
    """Check style: ruff for Python, rustfmt and clippy for Rust; `-- --fix` mends what it can."""
    enter(session, "lint", "ruff==0.17.6")
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []))
    session.run("ruff", "format", *([] if fix else ["--check"]))
    with session.chdir("packages"):
        session.run("cargo", "fmt", *([] if fix else ["--check"]))
        clippy = ["cargo", "clippy", "--all-targets", "--locked", "-q", "--", "-D", "warnings"]
        session.run(*clippy, env={"CARGO_TARGET_DIR": str(ROOT / "build/target")})


@task(tags=["check"])
def types(session: nox.Session) -> None:
    """Check types with mypy."""
    users(session)
    session.run("python", "-m", "mypy", *session.posargs)


@task()
def tests(session: nox.Session) -> None:
    """Run the Rust tests, then every Python test against the installed wheel, on all tiers here."""
    users(session)
    tiers(session)
    started = now()
    with session.chdir("packages"):
        cargo = ["cargo", "test", "--release", "--locked", "-q", "-p", "mars-earth-core"]
        session.run(*cargo, env={"CARGO_TARGET_DIR": str(ROOT / "build/target")})
    report = REPORTS / "tests.xml"
    covered = ["--cov=pymars", "--cov=hpcgate", "--cov-config=packaging/coverage.ini"]
    covered += ["--cov-report=term:skip-covered"]
    covered += [f"--cov-report=json:{REPORTS / 'coverage.json'}"]
    pytest = ["python", "-m", "pytest", f"--junitxml={report}", "--durations=10"]
    if session.posargs:
        session.run(*pytest, *session.posargs)
        return
    session.run(*pytest, *covered, success_codes=[0, 1])
    wheel = f"--subject={next(DIST.glob('*.whl'))}"
    record(session, "tests", started, f"--junit={report}", wheel, "--passed=cargo test")
    record(session, "conformance", started, f"--junit={report}", wheel, "--only=conformance")
    session.run("python", "-c", FAIL_ON_RED, str(report))


@task(name="bench-claims")
def bench_claims(session: nox.Session) -> None:
    """Time the claims gate beside a parser of the same texts, and record it."""
    gates(session)
    session.run("python", "scripts/bench_claims.py", *session.posargs)


@task()
def audit(session: nox.Session) -> None:
    """Ask what is known against the dependencies; `-- --advisory-db`, `--go-vulndb` take copies."""
    users(session)
    session.run("hpcgate", "sbom", "write", "--environment")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = str(session.run("python", "-c", where, silent=True)).strip()
    enter(session, "audit", "pip-audit==2.10.1", "-e", "packages/hpcgate")
    session.run("python", "-m", "hpcgate.supply.audits", f"--site={site}", *session.posargs)


@task()
def abi(session: nox.Session) -> None:
    """Test the installed C library, hold it against the snapshot; `-- --update`, `-- --header`."""
    users(session)
    provide(session, abidiff="abigail-tools", valgrind="valgrind", cmake="cmake")
    provide(session, **{"pkg-config": "pkg-config"})
    if session.posargs:
        session.run("python", "-m", "hpcgate.capi.abi", *session.posargs)
        return
    started = now()
    prefix, report = ROOT / "build" / "capi", REPORTS / "abi.xml"
    checks = {"abi": "boundary", "abi-ownership": "valgrind", "arrow": "arrow", "abi-docs": "page"}
    if shutil.which("abidiff") is None:
        for check in checks:
            record(session, check, started, "--outcome=unavailable", "--reason=no abidiff here")
        session.error("unavailable: abidiff is not installed; apt-get install abigail-tools")
    session.run("python", "-m", "hpcgate.capi.install", f"--prefix={prefix}")
    session.run("python", "-m", "hpcgate.capi.abi", f"--prefix={prefix}", success_codes=[0, 1])
    tests = ["python", "-m", "pytest", "-q", "tests/capi", f"--junitxml={report}"]
    session.run(*tests, success_codes=[0, 1], env={"MARS_EARTH_PREFIX": str(prefix)})
    library = f"--subject={next((prefix / 'lib').glob('libmars_earth.so.*.*.*'))}"
    for check, only in checks.items():
        record(session, check, started, f"--junit={report}", f"--only={only}", library)
    session.run("python", "-c", FAIL_ON_RED, str(report))


@task()
def fuzz(session: nox.Session) -> None:
    """Fuzz the ModelSpec reader and what C can call, and record it; `-- 600` are seconds."""
    gates(session)
    session.run("python", "-m", "hpcgate.capi.fuzz", *session.posargs)


@task(name="bench-capi")
def bench_capi(session: nox.Session) -> None:
    """Time one-row replays through the C library, and record them."""
    gates(session)
    session.run("python", "scripts/bench_capi.py", *session.posargs)


@task()
def sign(session: nox.Session) -> None:
    """Sign what lies in `dist/`, once every audit passed; only CI has the identity for sigstore."""
    gates(session)
    session.run("hpcgate", "release")
    if "ACTIONS_ID_TOKEN_REQUEST_URL" not in os.environ:
        session.error("unsigned: no identity of GitHub Actions here, so nothing is signed")
    enter(session, "sign", "sigstore==4.5.1")
    files = [path for path in DIST.iterdir() if not path.name.endswith(".sigstore.json")]
    session.run("python", "-m", "sigstore", "sign", "--overwrite", *map(str, sorted(files)))


@task(name="bench-training")
def bench_training(session: nox.Session) -> None:
    """Time training beside R earth and beside itself, record it and draw it."""
    users(session)
    session.run("python", "scripts/bench_training.py", *session.posargs)


@task(name="bench-tiers")
def bench_tiers(session: nox.Session) -> None:
    """Time every tier of every compute function, record it and derive the orders."""
    users(session)
    tiers(session)
    session.run("python", "scripts/bench_tiers.py", *session.posargs)
    session.run("hpcgate", "chains")


@task()
def accel(session: nox.Session) -> None:
    """Test every tier that can be had: Mojo built, Julia in a clean room, Go in an image."""
    users(session)
    provide(session, bwrap="bubblewrap", mmdebstrap="mmdebstrap", podman="podman")
    compose = ["python", "-m", "pip", "install", "-q", "-e", "packages/hpcgate[containers]"]
    session.run(*compose, success_codes=[0, 1])
    tiers(session)
    tests = ["python", "-m", "pytest", "-q", "tests/accel", "tests/unit/test_diagnostics.py"]
    session.run(*tests, *session.posargs, env={"HPC_NEED_JULIA": "1"})


@task()
def bench(session: nox.Session) -> None:
    """Time replay beside memory, R earth and mars-earth 1.0.4; `-- --gate` refuses a slower one."""
    users(session)
    started = now()
    REPORTS.mkdir(parents=True, exist_ok=True)
    script = ["python", "scripts/bench_replay.py", f"--reports={REPORTS}", *session.posargs]
    if "--gate" in session.posargs:
        session.run(*script, success_codes=[0, 1])
        measured(session, "bench-regression", started)
        session.run("python", "-c", FAIL_ON_WORD, str(REPORTS / "bench-regression.options"))
        return
    peer = ROOT / ".nox" / "predecessor"
    session.run(sys.executable, "-m", "virtualenv", "-q", str(peer))
    # Where the package index does not have it, the script says so.
    install = [str(peer / "bin" / "python"), "-m", "pip", "install", "-q", "mars-earth==1.0.4"]
    session.run(*install, success_codes=[0, 1])
    session.run(*script, f"--peer={peer / 'bin' / 'python'}")
    for check in ("bench-replay", "bench-threads", "bench-memory"):
        measured(session, check, started)
    report = REPORTS / "threads.xml"
    files = ["tests/unit/test_replay.py", "tests/property/test_replay_properties.py"]
    session.run(
        "python", "-m", "pytest", "-q", *files, f"--junitxml={report}", success_codes=[0, 1]
    )
    record(session, "threads", started, f"--junit={report}", f"--subject={files[0]}")
    session.run("python", "-c", FAIL_ON_RED, str(report))


@task(name="old-processor")
def old_processor(session: nox.Session) -> None:
    """Replay the vectors, and use the wheel, on emulated old processors (H1, not claimed)."""
    gates(session)
    started = now()
    provide(session, **{"qemu-x86_64": "qemu-user"})
    subject = "--subject=packages/rust-runtime/dispatch/src/lib.rs"
    if shutil.which("qemu-x86_64") is None or os.uname().machine != "x86_64":
        why = "needs x86-64 and qemu-x86_64; apt-get install qemu-user"
        record(
            session, "old-processor", started, "--outcome=unavailable", f"--reason={why}", subject
        )
        session.error(f"unavailable: {why}")
    passed = []
    for processor, expected in OLD_PROCESSORS.items():
        environment = {
            "CARGO_TARGET_DIR": str(ROOT / "build/target"),
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER": f"qemu-x86_64 -cpu {processor}",
            "MARS_EARTH_EXPECTED_INSTRUCTIONS": expected,
        }
        tests = ["cargo", "test", "--release", "--locked", "-q", "-p", "mars-earth-core"]
        with session.chdir("packages"):
            session.run(*tests, "--test", "conformance", "--test", "replay", env=environment)
        passed.append(f"--passed={processor}, {expected}")
    provide(session, **{"qemu-x86_64-static": "qemu-user-static"})
    if not list(DIST.glob("*.whl")):
        session.run("python", "-m", "hpcgate.sdist")
    # NumPy itself needs more than the first of them has.
    session.run("python", "-m", "hpcgate.smoke_wheel", "--processor=Nehalem")
    passed.append("--passed=Nehalem, the smoke script of the wheel")
    record(session, "old-processor", started, "--outcome=pass", *passed, subject)


# Which loops each must take: it has no others (H1, not claimed).
OLD_PROCESSORS = {"Conroe": "baseline", "Nehalem": "baseline", "Haswell": "avx2"}


@task(name="bench-peers")
def bench_peers(session: nox.Session) -> None:
    """Have R earth fit the problems of the tests, and record held-out R squared beside its."""
    users(session)
    session.run("python", "scripts/parity/reference.py")
    session.run("python", "scripts/parity/held_out.py")
    session.run("python", "scripts/parity/default_rule.py")


@task()
def docs(session: nox.Session) -> None:
    """Build the documents with MkDocs-Material; a broken link fails."""
    enter(session, "docs", "mkdocs-material>=9.5,<10", "mkdocs<2")
    session.run("mkdocs", "build", "--strict", "--site-dir", "build/site", *session.posargs)


# pytest's exit status 1 is taken late, so that a red run is recorded before it fails the session.
FAIL_ON_RED = """
import sys, xml.etree.ElementTree as tree
suites = tree.parse(sys.argv[1]).getroot().iter("testsuite")
red = sum(int(s.get("failures")) + int(s.get("errors")) for s in suites)
sys.exit(f"{red} tests failed" if red else 0)
"""


# As above, of a benchmark.
FAIL_ON_WORD = """
import sys
sys.exit(0 if "--outcome=pass" in open(sys.argv[1]).read().splitlines() else "the gate refuses")
"""


def measured(session: nox.Session, check: str, started: str) -> None:
    """Write the evidence record of a benchmark from the options that its script left."""
    options = (REPORTS / f"{check}.options").read_text(encoding="utf-8").splitlines()
    record(session, check, started, *options, "--subject=docs/benchmarks/replay.json")


def pack(session: nox.Session) -> None:
    """Build the sdist where there is none yet, as in a fresh clone."""
    if not list(DIST.glob("mars_earth-*.tar.gz")):
        session.run("python", "-m", "hpcgate.sdist", "--sdist-only")


def gates(session: nox.Session) -> None:
    """Use the environment of the maintainer library."""
    enter(session, "gates", "-e", "packages/hpcgate[build,recipes]")


def users(session: nox.Session) -> None:
    """Use an environment that holds the wheel of this tree and what the tests need."""
    library = ["-e", "packages/hpcgate[build,recipes,test]", "-r", "packages/hpcgate/peers.txt"]
    home = enter(session, "users", *library)
    session.run("python", "-m", "hpcgate.sdist")
    wheel = str(next(DIST.glob("*.whl")))
    installed = home / ".wheel"
    digest = hashlib.sha256(Path(wheel).read_bytes()).hexdigest()
    if not installed.exists() or installed.read_text() != digest:
        session.run("python", "-m", "pip", "install", "-q", f"{wheel}[arrow,plots]")
        session.run("python", "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps", wheel)
        installed.write_text(digest)


def tiers(session: nox.Session) -> None:
    """Build the tiers that are absent unless built; one that cannot be had is told by its probe."""
    os.environ["MARS_EARTH_CACHE"] = str(ROOT / "build" / "tiers")
    pins = ROOT / "packages/pymars/pymars/accel/mojo/requirements.txt"
    session.run("python", "-m", "pip", "install", "-q", "-r", str(pins), success_codes=[0, 1])
    session.run("python", "-m", "pymars.accel.mojo", success_codes=[0, 1])
    session.run("python", "docs/examples/accel/kuramoto.py", success_codes=[0, 1])
    program = ROOT / "build" / "tiers" / "mars-earth-sidecar"
    os.environ["MARS_EARTH_SIDECAR"] = str(program)
    if shutil.which("go"):
        with session.chdir("packages/go-sidecar"):
            flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid="]
            session.run("go", "build", *flags, "-o", str(program), ".", env={"CGO_ENABLED": "0"})


def enter(session: nox.Session, name: str, *install: str) -> Path:
    """Make `.nox/<name>` if its contents would differ, and put it first on the PATH."""
    home = ROOT / ".nox" / name
    lists = [ROOT / "packages" / "hpcgate" / name for name in ("pyproject.toml", "peers.txt")]
    wanted = [sys.version, *install, *(path.read_text() for path in lists)]
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    stamp = home / ".installed"
    # nox looks programs up in its own PATH, not in the session's.
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    os.environ["PATH"] = f"{programs}{os.pathsep}{PATH}"
    os.environ["VIRTUAL_ENV"] = str(home)
    # A caller's libraries are not this environment's.
    os.environ.pop("PYTHONPATH", None)
    if not stamp.exists() or stamp.read_text() != digest:
        session.run(sys.executable, "-m", "virtualenv", "-q", "--clear", str(home))
        session.run("python", "-m", "pip", "install", "-q", *install)
        stamp.write_text(digest)
    return home


def prove(session: nox.Session, options: list[str]) -> None:
    """Write the provenance of what a session built, and check it."""
    session.run("hpcgate", "provenance", "write", f"--session={session.name}", *options)
    (statement,) = DIST.glob(f"*.{session.name}.provenance.json")
    session.run("hpcgate", "provenance", "verify", str(statement))


def provide(session: nox.Session, **packages: str) -> None:
    """Install missing tools with apt where that needs no password; else leave it to the session."""
    missing = [package for tool, package in packages.items() if shutil.which(tool) is None]
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not missing or not shutil.which("apt-get") or not (not become_root or shutil.which("sudo")):
        return
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", *missing]):
        # Status 1 and 100 are sudo's and apt's refusals: the session then says `unavailable`.
        session.run(*become_root, "apt-get", *arguments, success_codes=[0, 1, 100])


def record(session: nox.Session, check: str, started: str, *options: str) -> None:
    """Write an evidence record of this session."""
    command = f"--command=nox -s {session.name}"
    session.run(
        "hpcgate", "evidence", "record", check, command,
        f"--started={started}", f"--finished={now()}", *options,
    )  # fmt: skip


def now() -> str:
    """Return the UTC time as evidence writes it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
