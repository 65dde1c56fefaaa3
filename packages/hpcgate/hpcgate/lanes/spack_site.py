# Language policy: EXEMPT from the Rust-path rule. Writes a Spack configuration; no computation.
"""The site of the Spack smoke: its configuration, its externals, its source mirror.

A site of an HPC centre rarely builds Python, the compilers or SciPy for a first install: it names
them as externals. The smoke does the same, one prefix per Python package, so that nothing is
visible to the build that its recipe does not depend on.
"""

from __future__ import annotations

import io
import json
import shlex
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from hpcgate.errors import GateError
from hpcgate.facts import Dependencies, bounds_text
from hpcgate.lanes import spack_style
from hpcgate.lanes.spack_host import Places
from hpcgate.lanes.spack_lint import PackageFile, read_package
from hpcgate.lanes.spack_session import Session
from hpcgate.lanes.spack_source import BUILTIN
from hpcgate.repo import read_text, sha256_file, write_text

__all__ = [
    "Tools",
    "Wheel",
    "assign",
    "externals",
    "fill_mirror",
    "prepare",
    "read_wheels",
    "recipe_digest",
    "recipe_of",
    "requirements",
    "scope",
    "store",
]

SCRIPTS = Path("tests/smoke/spack")
VECTORS = Path("tests/conformance")

_PIP = "pip --disable-pip-version-check --quiet"
_INDEX = "$WORK/spack/bin/spack python -c 'import spack.repo; spack.repo.PATH.provider_index'"
_DOWNLOAD = "download --no-cache-dir --only-binary :all:"
# pip in a virtual environment fills lib/pythonX.Y/site-packages, and Spack asks the Python outside
# of it where to look; Debian's has another answer.
_LINK_SITE_PACKAGES = """
asked='import sysconfig; print(sysconfig.get_path("platlib", vars={"platbase": "", "base": ""}))'
for prefix in $WORK/externals/*; do
  there=$prefix$(python3 -c "$asked")
  [ -e $there ] || { mkdir -p $(dirname $there); ln -s $prefix/lib/python3*/site-packages $there; }
done"""


@dataclass(frozen=True, slots=True)
class Tools:
    """Hold the version of each tool that the room or the machine brings."""

    python: str
    python_prefix: str
    gcc: str
    gcc_prefix: str
    rust: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """Describe one wheel that becomes an external package."""

    path: Path
    name: str
    version: str
    needs: tuple[str, ...]

    @property
    def package(self) -> str:
        """Return the name of its Spack package.

        Examples
        --------
        >>> Wheel(Path("x.whl"), "markdown-it-py", "4.0.0", ()).package
        'py-markdown-it-py'
        """
        return f"py-{self.name}"


def prepare(session: Session, spack: Path, builtin: Path) -> None:
    """Bring Spack, its solver, our recipes, the externals and the configuration into the room.

    Parameters
    ----------
    spack, builtin : Path
        Spack, and the folder of this machine that holds `spack_repo/builtin`.

    Raises
    ------
    GateError
        If something cannot be had, above all the wheels when no package index is in reach.
    """
    work, places = session.room.work, session.places
    # Spack writes into its own folder, and nobody's Spack is to be written to.
    ignored = shutil.ignore_patterns(".git", "__pycache__", "opt")
    shutil.copytree(spack, work / "spack", symlinks=True, ignore=ignored)
    shutil.copytree(session.root / SCRIPTS, work / "scripts")
    shutil.copytree(session.root / VECTORS, work / "vectors")
    _make_origin(session)
    spack_style.lay_out(session, builtin.parent)

    wanted = requirements(session.facts.dependencies)
    _configure(session, {})
    session.prepare(
        "download",
        f"python3 -m venv $WORK/venv\n$WORK/venv/bin/{_PIP} install --no-cache-dir clingo "
        f"{shlex.join(spack_style.checkers(builtin.parent))}\n"
        # Spack reads every recipe once; meanwhile the wheels come.
        f"{_INDEX} > $WORK/index.log 2>&1 & \n"
        f"$WORK/venv/bin/{_PIP} {_DOWNLOAD} -d $WORK/wheels {shlex.join(wanted)}\nwait",
        network=True,
    )
    tools = _tools(session)
    wheels = read_wheels(work / "wheels", tools.python)
    specs = shlex.join(f"{wheel.package}@{wheel.version}" for wheel in wheels)
    asked = "$WORK/spack/bin/spack python $WORK/scripts/known_dependencies.py"
    known = json.loads(session.prepare("recipes", f"{asked} {specs}"))
    contents = assign(wheels, [Requirement(text).name for text in wanted], known)
    install = f"$WORK/venv/bin/{_PIP} install --no-deps --no-index --no-compile --prefix"
    lines = [
        f"{install} {places.prefix(package)} "
        + shlex.join(f"{places.work}/wheels/{wheel.path.name}" for wheel in inside)
        for package, inside in contents.items()
    ]
    install_all = "xargs -P 2 -d '\\n' -n 1 sh -c << 'LINES'"
    script = "\n".join([install_all, *lines, "LINES", _LINK_SITE_PACKAGES])
    session.prepare("externals", script)
    _configure(session, externals(contents, known, tools, places))


def recipe_of(root: Path, folder: str) -> PackageFile:
    """Return one of our two package files."""
    (path,) = root.glob(f"spack/spack_repo/*/packages/{folder}/package.py")
    return read_package(read_text(path))


def recipe_digest(root: Path) -> str:
    """Return the digest that our recipe has for the source archive; Spack compares."""
    (version,) = recipe_of(root, "py_mars_earth").calls("version")
    return str(version.keywords["sha256"])


def fill_mirror(session: Session, sdist: Path, wrapper: Path | None) -> None:
    """Put every source that the solution builds into the mirror.

    Parameters
    ----------
    sdist : Path
        Our source archive.
    wrapper : Path, optional
        The source archive of Spack's compiler wrapper; Spack fetches it when not given.
    """
    mirror, bin_spack = session.room.work / "mirror", "$WORK/spack/bin/spack"
    ours = f"mars-earth@{session.facts.release.version}"
    solved = session.prepare("solution", f"{bin_spack} spec --fresh --json {ours}")
    nodes = {node["name"]: node for node in json.loads(solved)["spec"]["nodes"]}
    for name in ("mars-earth", "py-mars-earth"):
        session.smoke.tools[f"spec of {name}"] = f"/{nodes[name]['hash']}"
    built = {name: node["version"] for name, node in nodes.items() if "external" not in node}
    wheels = [f"{n[3:]}=={built[n]}" for n in ("py-pip", "py-wheel") if n in built]
    asked = f"$WORK/venv/bin/{_PIP} {_DOWNLOAD} --no-deps -d $WORK/sources {shlex.join(wheels)}"
    session.prepare("sources", asked, network=True)
    for path in sorted((session.room.work / "sources").iterdir()):
        store(mirror, path)
    store(mirror, sdist, recipe_digest(session.root))
    if wrapper is not None:
        store(mirror, wrapper)
    elif version := built.get("compiler-wrapper"):
        asked = f"{bin_spack} fetch compiler-wrapper@{version}"
        session.prepare("compiler-wrapper", asked, network=True)


def requirements(dependencies: Dependencies) -> list[str]:
    """Return the Python packages that are given as externals, as pip reads them.

    Examples
    --------
    >>> from hpcgate import facts
    >>> from hpcgate.repo import find_root
    >>> requirements(facts.load(find_root(Path(__file__))).dependencies)[0]
    'maturin>=1.8,<2'
    """
    listed = dependencies.by_role("build", "run", "extra").values()
    return [f"{d.names.pypi}{bounds_text(d.bounds)}" for d in listed if d.names.pypi]


def read_wheels(folder: Path, python: str) -> list[Wheel]:
    """Read every wheel of a folder, with the others among them that each one needs.

    Parameters
    ----------
    folder : Path
        Where pip downloaded the wheels, and all they need.
    python : str
        Version of the Python that they are for.
    """
    marks = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "extra": "",
    }
    found = []
    for path in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(path) as archive:
            (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
            metadata = Parser().parsestr(archive.read(name).decode(), headersonly=True)
        listed = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
        needs = {
            str(canonicalize_name(r.name))
            for r in listed
            if r.marker is None or r.marker.evaluate(marks)
        }
        name = str(canonicalize_name(metadata["Name"]))
        found.append(Wheel(path, name, metadata["Version"], tuple(sorted(needs))))
    names = {wheel.name for wheel in found}
    for wheel in found:
        if missing := set(wheel.needs) - names:
            raise GateError(f"{wheel.path.name} needs {', '.join(sorted(missing))}, not downloaded")
    return found


def assign(
    wheels: list[Wheel], wanted: list[str], known: Mapping[str, list[str]]
) -> dict[str, list[Wheel]]:
    """Say which external package each wheel becomes, or in whose prefix it lies.

    A wheel that a recipe depends on is an external of its own. One that the recipe does not know
    of, because it is older than the wheel, lies in the prefix of the wheel that needs it.

    Parameters
    ----------
    wheels : list of Wheel
        Everything pip downloaded.
    wanted : list of str
        Distributions that our own recipe depends on.
    known : mapping of str to list of str
        Dependencies of each Spack package at the version of its wheel, from the recipes.

    Returns
    -------
    dict of str to list of Wheel
        The wheels of each external; its own is the first.
    """
    by_name = {wheel.name: wheel for wheel in wheels}
    found: dict[str, list[Wheel]] = {}
    queue = list(wanted)
    while queue:
        own = by_name[queue.pop()]
        if own.package in found:
            continue
        inside = [own]
        for wheel in inside:  # grows while it is read
            for need in (by_name[name] for name in wheel.needs):
                if need.package in known[own.package]:
                    queue.append(need.name)
                elif need not in inside:
                    inside.append(need)
        found[own.package] = inside
    return found


def externals(
    contents: Mapping[str, list[Wheel]],
    known: Mapping[str, list[str]],
    tools: Tools,
    places: Places,
) -> dict[str, dict[str, object]]:
    """Return the `packages:` section: what the site has, and Spack must not build."""
    compilers = {"c": f"{tools.gcc_prefix}/bin/gcc", "cxx": f"{tools.gcc_prefix}/bin/g++"}
    section = {
        "python": _external(f"python@{tools.python}", tools.python_prefix),
        "gcc": _external(
            f"gcc@{tools.gcc} languages='c,c++'",
            tools.gcc_prefix,
            extra_attributes={"compilers": compilers},
        ),
        "rust": _external(f"rust@{tools.rust}", places.rust),
    }
    for package, wheels in sorted(contents.items()):
        needs = {f"py-{name}" for wheel in wheels for name in wheel.needs} & set(known[package])
        section[package] = _external(
            f"{package}@{wheels[0].version}",
            places.prefix(package),
            dependencies=[
                {"spec": name, "deptypes": ["build", "run"]} for name in ("python", *sorted(needs))
            ],
        )
    return section


def scope(packages: Mapping[str, object], places: Places) -> dict[str, str]:
    """Return the files of the configuration scope, by name.

    Examples
    --------
    >>> files = scope({}, Places("/work", "/opt/packages", "/opt/rust"))
    >>> print(files["mirrors.yaml"], end="")
    mirrors:
      local:
        url: file:///work/mirror
        binary: false
        source: true
    """
    work = places.work
    sections: dict[str, dict[str, object]] = {
        # Ours is added by `spack repo add`, as a user would.
        "repos": {"builtin": f"{places.builtin}/{BUILTIN}"},
        # The solver comes from the Python that runs Spack.
        "bootstrap": {"enable": False},
        "config": {
            "install_tree": {"root": f"{work}/opt"},
            "build_stage": [f"{work}/stage"],
            "test_stage": f"{work}/test",
            "source_cache": f"{work}/source_cache",
            # Private: an index is keyed by namespace, so two checkouts would share a wrong one.
            "misc_cache": f"{work}/misc_cache",
            "build_jobs": 2,
            "connect_timeout": 2,
        },
        "mirrors": {
            # Without `binary: false` Spack looks for an index of binaries and warns.
            "local": {"url": f"file://{work}/mirror", "binary": False, "source": True}
        },
        # The session asks for one solution several times.
        "concretizer": {"concretization_cache": {"enable": True}},
        "packages": dict(packages),
    }
    return {f"{name}.yaml": _yaml({name: section}) for name, section in sections.items()}


def store(mirror: Path, file: Path, digest: str = "") -> Path:
    """Put a file into a source mirror, where Spack looks for its digest, and return the copy.

    Parameters
    ----------
    mirror : Path
        The mirror's folder.
    file : Path
        The archive or wheel.
    digest : str, optional
        The digest a recipe asks for, so that Spack compares it with the file; the file's own by
        default.
    """
    suffix = "tar.gz" if file.name.endswith(".tar.gz") else file.suffix[1:]
    digest = digest or sha256_file(file)
    target = mirror / "_source-cache" / "archive" / digest[:2] / f"{digest}.{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return target


def _make_origin(session: Session) -> None:
    """Make a git repository of today's recipes, which is what `spack repo add` takes."""
    origin = session.room.work / "origin"
    shutil.copytree(session.root / "spack", origin / "spack")
    shutil.copy(session.root / "spack-repo-index.yaml", origin)
    session.prepare(
        "origin",
        "cd $WORK/origin\ngit init -q -b main\ngit add .\n"
        "git -c user.name=smoke -c user.email=smoke@invalid commit -q -m smoke",
    )


def _tools(session: Session) -> Tools:
    """Ask the tools of the room for their versions and places."""
    told = session.prepare(
        "tools",
        "python3 -c 'import sys; print(sys.version.split()[0], sys.base_prefix)'\n"
        "gcc -dumpfullversion\ndirname $(dirname $(command -v gcc))\n"
        "$WORK/venv/bin/python3 -c 'import clingo; print(clingo.__version__)'\n"
        "$WORK/spack/bin/spack --version | cut -d' ' -f1\n$WORK/spack/bin/spack arch",
    )
    python, python_prefix, gcc, gcc_prefix, clingo, spack, arch = told.split()
    session.smoke.tools |= {"python": python, "gcc": gcc, "clingo": clingo, "spack": spack}
    session.smoke.tools["architecture"] = arch
    return Tools(python, python_prefix, gcc, gcc_prefix, session.smoke.tools["rust"])


def _configure(session: Session, packages: Mapping[str, object]) -> None:
    for name, text in scope(packages, session.places).items():
        write_text(session.room.work / "scope" / name, text)


def _external(spec: str, prefix: str, **more: object) -> dict[str, object]:
    return {"buildable": False, "externals": [{"spec": spec, "prefix": prefix, **more}]}


def _yaml(data: Mapping[str, object]) -> str:
    stream = io.StringIO()
    writer = YAML(pure=True)
    writer.default_flow_style = False
    writer.indent(mapping=2, sequence=2, offset=0)
    writer.dump(data, stream)
    return stream.getvalue()
