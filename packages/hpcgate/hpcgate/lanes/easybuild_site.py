# Language policy: EXEMPT from the Rust-path rule. Installs and links programs; no computation.
"""The stand-in site: modules with upstream's names, so that EasyBuild builds one easyconfig alone.

A real site builds hundreds of modules before this one. Here each module that the easyconfig needs
offers what stands for it: Rust, maturin and the Python libraries at the very versions that upstream
names, the compiler, the linker and Python as the clean root has them. FlexiBLAS, FFTW and the
toolchain itself offer nothing, because nothing here links to them. Evidence says "stand-in".
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from packaging.utils import canonicalize_name
from pydantic import Field, ValidationError

from hpcgate.cleanroom import EngineName, Room, load_image, open_room
from hpcgate.cleanroom.process import quiet
from hpcgate.errors import GateError
from hpcgate.facts import FactModel, load_model
from hpcgate.repo import read_text, sha256_bytes, sha256_file, write_text

__all__ = [
    "SITE",
    "Module",
    "Site",
    "SiteFacts",
    "prepare",
    "render_module",
    "site_facts",
]

SITE = "/mnt/site"
FACTS = "packaging/easybuild/site.yaml"
PLAN = Path("tests/smoke/easybuild/plan_site.py")
STAMP = "site.json"
# EasyBuild asks a FlexiBLAS module which libraries it offers before it accepts a toolchain.
_FLEXIBLAS = "#!/bin/sh\nprintf '     library = libflexiblas_openblas.so\\n'\n"
_PIP = "-m pip install --disable-pip-version-check --no-cache-dir"

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class SiteFacts(FactModel):
    """Hold `packaging/easybuild/site.yaml`."""

    generation: str
    images: dict[str, str]
    easybuild: Names
    programs: dict[str, Names]
    wheels: dict[str, Names]
    instead: dict[str, str]

    def image(self, generation: str) -> str:
        """Return the clean root whose Python can stand for the one of a generation."""
        if generation not in self.images:
            raise GateError(f"{FACTS}: images: no clean root for generation {generation}")
        return self.images[generation]


class Module(FactModel):
    """Hold what upstream's easyconfig says about one module."""

    full_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]+/[A-Za-z0-9._+-]+$")]
    name: str
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]+$")]
    needs: tuple[str, ...]
    extensions: dict[str, str]

    @property
    def root(self) -> str:
        """Return the folder of the module, as the room sees it."""
        return f"{SITE}/software/{self.full_name}"

    def pin(self, distribution: str) -> str:
        """Return the requirement that installs a distribution at the version upstream names.

        Examples
        --------
        >>> Module(full_name="a/1", name="a", version="1", needs=(), extensions={"B": "2"}).pin("b")
        'b==2'
        """
        known = {canonicalize_name(name): version for name, version in self.extensions.items()}
        known.setdefault(canonicalize_name(self.name), self.version)
        wanted = canonicalize_name(distribution)
        if wanted not in known:
            raise GateError(
                f"{FACTS}: wheels.{self.name}: upstream's easyconfig has no {distribution}",
                hint=f"remove it, or name another module than {self.full_name}",
            )
        return f"{distribution}=={known[wanted]}"


class _Plan(FactModel):
    modules: Annotated[tuple[Module, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Site:
    """A stand-in site on disk; `seconds` is zero when it stood already."""

    folder: Path
    modules: tuple[Module, ...]
    seconds: float


def site_facts(root: Path) -> SiteFacts:
    """Read the facts of the stand-in site."""
    return load_model(SiteFacts, root, FACTS)


def prepare(
    root: Path,
    easyconfig: Path,
    generation: str,
    folder: Path,
    logs: Path,
    *,
    engine: EngineName = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> Site:
    """Return the stand-in site of an easyconfig; the first call makes it, with the network.

    Parameters
    ----------
    root : Path
        The checkout.
    easyconfig : Path
        Decides which modules the site has.
    generation : str
        Its toolchain generation, which decides in which clean root the site is made.
    folder : Path
        Where the site lies. One that was made from other facts is made anew.
    logs : Path
        Where each step leaves its log.
    engine : {"auto", "podman", "docker", "bwrap"}
        What runs the room in which it is made.
    say : callable
        Is told what happens.

    Raises
    ------
    GateError
        If no room, package index or toolchain index can be had here, or the Python of the clean
        root cannot stand for the module. Nothing half-made stays.

    Examples
    --------
    >>> prepare(root, easyconfig, "2025b", folder, logs).modules[0].full_name  # doctest: +SKIP
    'GCCcore/14.3.0'
    """
    facts = site_facts(root)
    image = facts.image(generation)
    key = _key(root, image, easyconfig)
    stamp = folder / STAMP
    if stamp.is_file() and (kept := json.loads(read_text(stamp)))["key"] == key:
        return Site(folder, _Plan.model_validate(kept["plan"]).modules, 0.0)
    began = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as temporary:
        making = Path(temporary) / "site"
        making.mkdir()
        mounts = {root / PLAN: "/mnt/plan_site.py", easyconfig: f"/mnt/{easyconfig.name}"}
        opened = open_room(
            image, root, engine=engine, network=True, mounts=mounts, writable={making: SITE}
        )
        with opened as room:
            plan = _make(room, facts, f"/mnt/{easyconfig.name}", making, logs, say)
        content = {"key": key, "plan": plan.model_dump(mode="json")}
        write_text(making / STAMP, json.dumps(content, indent=1))
        quiet(["rm", "-rf", str(folder)])
        making.rename(folder)
    return Site(folder, plan.modules, round(time.monotonic() - began, 3))


def render_module(module: Module, *, programs: bool, library: str) -> str:
    """Return the module file of a stand-in, in Lua, with what EasyBuild looks for in it.

    Parameters
    ----------
    module : Module
        What it stands for.
    programs : bool
        Whether it has a `bin` folder.
    library : str
        Folder with Python libraries below its root, or nothing.
    """
    variable = module.name.upper().replace("-", "MIN").replace("+", "PLUS")
    lines = [
        "-- Written by the smoke session of mars-earth.",
        f'whatis("Description: stand-in for {module.full_name}, not built by EasyBuild")',
        f'conflict("{module.name}")',
        *(f'depends_on("{needed}")' for needed in module.needs),
        f'setenv("EBROOT{variable}", "{module.root}")',
        f'setenv("EBVERSION{variable}", "{module.version}")',
    ]
    if programs:
        lines.append(f'prepend_path("PATH", "{module.root}/bin")')
    if library:
        lines.append(f'prepend_path("PYTHONPATH", "{module.root}/{library}")')
    return "\n".join(lines) + "\n"


def _key(root: Path, image: str, easyconfig: Path) -> str:
    """Return a digest of everything that decides what a site holds."""
    paths = [root / FACTS, root / PLAN, Path(__file__)]
    needed = re.findall(r"^    \('[^']+', '[^']+'\),$", read_text(easyconfig), re.MULTILINE)
    parts = [load_image(root, image).digest, *map(sha256_file, paths), *needed]
    return sha256_bytes("\n".join(parts).encode())


def _make(
    room: Room,
    facts: SiteFacts,
    easyconfig: str,
    making: Path,
    logs: Path,
    say: Callable[[str], None],
) -> _Plan:
    """Install EasyBuild, ask it for the modules, and fill each."""
    say("EasyBuild from the package index")
    python = f"{SITE}/easybuild/bin/python"
    pins = shlex.join(facts.easybuild)
    install = f"python3 -m venv {SITE}/easybuild; {python} {_PIP} {pins}; mkdir {SITE}/bin; "
    _run(room, logs, "easybuild", f"{install} ln -s ../easybuild/bin/eb {SITE}/bin/eb")
    printed = _run(room, logs, "plan", f"{python} /mnt/plan_site.py {easyconfig} /tmp/plan")
    try:
        plan = _Plan.model_validate_json((printed.strip().splitlines() or [""])[-1])
    except ValidationError:
        raise GateError(f"{PLAN} printed no plan", hint=f"see {logs}/site-plan.log") from None
    by_name = {module.name: module for module in plan.modules}
    minor = _python_minor(room, logs, by_name)
    for module in plan.modules:
        say(f"stand-in {module.full_name}")
        _run(room, logs, module.name, _fill(module, facts, by_name))
        folder = making / "software" / module.full_name
        library = f"lib/python{minor}/site-packages"
        has_library = module.name != "Python" and (folder / library).is_dir()
        text = render_module(
            module,
            programs=(folder / "bin").is_dir(),
            library=library if has_library else "",
        )
        write_text(making / "modules" / f"{module.full_name}.lua", text)
    return plan


def _fill(module: Module, facts: SiteFacts, by_name: dict[str, Module]) -> str:
    """Return the script that puts into a module what stands for it."""
    root = module.root
    script = f"mkdir -p {root}\n"
    if module.name == "Rust":
        # rustup's own client; the toolchain is moved to nowhere, the module is a link to it.
        return (
            f"export RUSTUP_HOME={SITE}/rustup CARGO_HOME=/tmp/cargo\n"
            f"rustup toolchain install {module.version} --profile minimal --no-self-update\n"
            f"mkdir -p {Path(root).parent}; cd {Path(root).parent}\n"
            f"ln -s ../../rustup/toolchains/{module.version}-* {Path(root).name}\n"
        )
    if module.name == "FlexiBLAS":
        script += f"mkdir {root}/bin; printf %s {shlex.quote(_FLEXIBLAS)} > {root}/bin/flexiblas\n"
        script += f"chmod +x {root}/bin/flexiblas\n"
    for program in facts.programs.get(module.name, ()):
        script += f"mkdir -p {root}/bin; ln -s $(command -v {program}) {root}/bin/{program}\n"
    if module.name in facts.wheels:
        named = map(module.pin, facts.wheels[module.name])
        pins = shlex.join(facts.instead.get(pin, pin) for pin in named)
        python, where = f"{by_name['Python'].root}/bin/python", f"--prefix {root}"
        if module.name == "Python":
            script, where = f"python3 -m venv {root}\n", ""
        script += f"{python} {_PIP} --no-deps --only-binary :all: {where} {pins}\n"
    return script


def _python_minor(room: Room, logs: Path, by_name: dict[str, Module]) -> str:
    """Return the Python minor version, which the clean root and the module have to share."""
    ask = "python3 -c \"import sys; print(*sys.version_info[:2], sep='.')\""
    here = _run(room, logs, "python", ask).strip()
    wanted = by_name["Python"].version.rpartition(".")[0]
    if here != wanted:
        module = by_name["Python"].full_name
        raise GateError(
            f"the clean root has Python {here}, which cannot stand for {module}",
            hint=f"name an image with Python {wanted} in {FACTS}",
        )
    return here


def _run(room: Room, logs: Path, step: str, script: str) -> str:
    """Run one step with the network, keep its log, and return what it printed."""
    done = room.run(script)
    log = logs / f"site-{step}.log"
    write_text(log, f"$ {script}\n{done.stdout}{done.stderr}")
    if not done.ok:
        errors = re.findall(r"^(?:ERROR|error): (.+)$", done.stderr, re.MULTILINE)
        why = errors[-1] if errors else done.why
        raise GateError(f"the stand-in site cannot be made: {step}: {why}", hint=f"see {log}")
    return done.stdout
