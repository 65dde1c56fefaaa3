# Language policy: EXEMPT from the Rust-path rule. Lists commands; no computation.
"""What the smoke session types, stage by stage; docs/install-easybuild.md shows the same lines."""

from __future__ import annotations

from dataclasses import dataclass

from hpcgate.lanes.easybuild_site import SITE

__all__ = [
    "CHECKOUT",
    "ENVIRONMENT",
    "LMOD",
    "VERSIONS",
    "Stage",
    "eb_command",
    "edges",
    "stages",
    "upstream_tests",
]

LMOD = "/usr/share/lmod/lmod/init/bash"
# The commands of the stages use these names; docs/install-easybuild.md sets them the same way.
ENVIRONMENT = {
    "EASYBUILD_PREFIX": "/mnt/prefix",
    "EASYBUILD_TMPDIR": "/mnt/logs",
    "EASYBUILD_ALLOW_USE_AS_ROOT_AND_ACCEPT_CONSEQUENCES": "1",
    # A room may know no user but root; whoever packed a crate cannot own its files there.
    "TAR_OPTIONS": "--no-same-owner",
    "EB_PYTHON": f"{SITE}/easybuild/bin/python",
    "SOURCES": "/mnt/sources",
    # Without a limit the linear algebra reserves address space for every core of a large machine.
    "OPENBLAS_NUM_THREADS": "2",
}
# What the room and the stand-in site offer, as a name and a version in each line.
VERSIONS = """\
echo lmod $LMOD_VERSION
echo easybuild $(eb --version | sed 's/.*framework: \\([^,]*\\).*/\\1/')
module load Rust maturin
echo gcc $(gcc -dumpfullversion)
echo binutils $(ld --version | sed -n '1s/.* //p')
echo rust $(rustc --version | cut -d' ' -f2)
echo maturin $(maturin --version | cut -d' ' -f2)
"""
# Where the room sees a checkout of easybuild-easyconfigs.
CHECKOUT = "/mnt/easyconfigs"
# A build that shows nothing about optimisation takes no time for it.
_QUICK = "export CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off"
# What one build compiled, the next one takes: cargo keeps it where the caller says, and starts anew
# when EasyBuild asks for other code or another linker. EasyBuild's wrapper for rpath has another
# name each time.
_KEEP = "export CARGO_TARGET_DIR=$HOME/target EASYBUILD_DISABLE_RPATH=1"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the session: commands as a site types them, and what their success says."""

    name: str
    commands: str
    shows: str
    reports: bool = False  # its last line is a report with tests of its own
    aside: bool = False  # runs in a second room, with a prefix of its own, beside the others


def eb_command(name: str, version: str, toolchain: str) -> str:
    """Return the command that names our easyconfig to EasyBuild.

    Examples
    --------
    >>> eb_command("mars-earth", "2.0.0", "gfbf-2025b")
    'eb mars-earth-2.0.0-gfbf-2025b.eb --robot-paths=$PWD/easybuild/easyconfigs:'
    """
    return f"eb {name}-{version}-{toolchain}.eb --robot-paths=$PWD/easybuild/easyconfigs:"


def stages(name: str, version: str, toolchain: str) -> tuple[Stage, ...]:
    """Return the stages that follow the stand-in site and its sources, in order.

    Those that are `aside` need nothing of the others, so the two rows run at the same time.

    Parameters
    ----------
    name, version, toolchain : str
        What is built, and the toolchain with its generation, such as `gfbf-2025b`.

    Examples
    --------
    >>> [stage.name for stage in stages("mars-earth", "2.0.0", "gfbf-2025b") if stage.aside][:2]
    ['check-contrib', 'check-style']
    """
    eb = eb_command(name, version, toolchain)
    module = f"{name}/{version}-{toolchain}"
    file = f"$EASYBUILD_PREFIX/modules/all/{module}.lua"
    software = f"$EASYBUILD_PREFIX/software/{module}"
    modules = "module use $EASYBUILD_PREFIX/modules/all"
    load = f"{modules}\nmodule load {module}"
    use = "python -s /mnt/use_module.py /mnt/conformance"
    seen = "env | grep -Ev '^(_|__LMOD_.*|_ModuleTable.*|LMOD_.*|BASH_.*)=' | sort"
    log = f"{software}/easybuild/easybuild-*.log"
    return (
        Stage(
            "build",
            f"{eb} --sourcepath=$SOURCES --optarch=GENERIC --rpath",
            "without network, as a site does it",
        ),
        Stage(
            "generic",
            f"grep -qE -e '-C target-cpu=(x86-64|generic) ' {log}\n"
            f"! grep -q target-cpu=native {log}",
            "no code for one processor alone",
        ),
        Stage(
            "rpath",
            "readelf -d $(find $EASYBUILD_PREFIX/software -name '_core*.so') | "
            "grep -E '\\(R(UN)?PATH\\).*\\[.+\\]'",
            "the libraries' folders are in the extension module",
        ),
        Stage("use", f"{load}\nmars-earth --version\n{use}", "a user's steps", reports=True),
        Stage(
            "unload",
            f"{modules}\n{seen} > /tmp/before\nmodule load {module}\n"
            f"module unload {module}\n{seen} > /tmp/after\ndiff /tmp/before /tmp/after",
            "the environment is as before the load",
        ),
        Stage("sanity-check", f"{eb} --sanity-check-only", "the installation, once more"),
        Stage(
            "module-only",
            f"cp {file} /tmp/before\n{eb} --module-only --rebuild --skip-sanity-check\n"
            f"cmp {file} /tmp/before",
            "the same module file, without a build",
        ),
        Stage("check-contrib", f"{eb} --check-contrib", "upstream's rules", aside=True),
        Stage("check-style", f"{eb} --check-style", "upstream's style", aside=True),
        Stage(
            "sources",
            f"list=$PWD/easybuild/sources/{name}-{version}.sha256\n"
            "cd $SOURCES && sha256sum --check --strict --quiet $list",
            "the list names every source with its digest",
            aside=True,
        ),
        Stage(
            "fetch",
            f"{eb} --sourcepath=$SOURCES --fetch",
            "every source, without network",
            aside=True,
        ),
        Stage(
            "second-build",
            f"{_QUICK}\n{_KEEP}\n{eb} --sourcepath=$SOURCES\ntest -e {file}",
            "for the processor at hand and without rpath; in a prefix of its own",
            aside=True,
        ),
        Stage(
            "failed-rebuild",
            # A variable of the caller that cargo obeys: the build ends before it compiles.
            "export CARGO_BUILD_TARGET=none-such\n"
            f"if {eb} --sourcepath=$SOURCES --rebuild; then exit 1; fi\n"
            f"test ! -e {file}\ntest ! -e {software}/bin/{name}",
            "the build fails; EasyBuild has taken the module and the installation away",
            aside=True,
        ),
        Stage(
            "rebuild",
            f"{_QUICK}\n{_KEEP}\n{eb} --sourcepath=$SOURCES --rebuild\n{load}\n{use}",
            "the module is back; compiled without optimisation, it replays the same",
            aside=True,
        ),
    )


def edges(name: str, version: str, toolchain: str, other: str, bad: str) -> tuple[Stage, ...]:
    """Return what a site does less often, in order; the first one installs.

    Parameters
    ----------
    name, version, toolchain : str
        As for `stages`.
    other : str
        A toolchain to which the easyconfig is moved, such as `gfbf,2026.1`.
    bad : str
        Folder with a `library` and a `cargo` home that break whatever uses them.

    Examples
    --------
    >>> [s.name for s in edges("mars-earth", "2.0.0", "gfbf-2025b", "gfbf,2026.1", "/mnt/bad")]
    ['callers-variables', 'hidden', 'try-toolchain']
    """
    eb = eb_command(name, version, toolchain)
    modules = "module use $EASYBUILD_PREFIX/modules/all"
    return (
        Stage(
            "callers-variables",
            f"{_QUICK}\n(export PYTHONPATH={bad}/library CARGO_HOME={bad}/cargo\n"
            f"{eb} --sourcepath=$SOURCES)\n"
            f"{modules}\nmodule load {name}/{version}-{toolchain}\nmars-earth --version",
            "PYTHONPATH and CARGO_HOME of the caller have no effect",
        ),
        Stage(
            "hidden",
            f"{eb} --module-only --rebuild --hidden\n{modules}\n"
            f"if module --terse avail {name} 2>&1 | grep -F '{name}/.'; then exit 1; fi\n"
            f"module load {name}/.{version}-{toolchain}\nmars-earth --version",
            "a module that is loaded by its name and not listed",
        ),
        Stage(
            "try-toolchain",
            f"{eb} --try-toolchain={other} --try-update-deps --experimental --dry-run",
            f"EasyBuild can move the easyconfig to {other}; a dry run",
        ),
    )


def upstream_tests(name: str, easyconfig: str) -> Stage:
    """Return the stage that runs upstream's tests of a pull request on our file.

    Examples
    --------
    >>> path = "easybuild/easyconfigs/m/mars-earth/mars-earth-2.0.0-gfbf-2025b.eb"
    >>> upstream_tests("mars-earth", path).name
    'upstream-tests'
    """
    folder = "/tmp/upstream"
    ours, all_files = f"{name[0]}/{name}", "easybuild/easyconfigs"
    return Stage(
        "upstream-tests",
        f"mkdir -p {folder}/{all_files}/{ours} && cd {folder}\n"
        f"ln -s {CHECKOUT}/test .\n"
        f"ln -s {CHECKOUT}/{all_files}/[!{name[0]}]* {all_files}\n"
        f"ln -s {CHECKOUT}/{all_files}/{name[0]}/* {all_files}/{name[0]} 2> /tmp/present || "
        f"grep -F {ours} /tmp/present\n"
        f"cp /mnt/mars/{easyconfig} {easyconfig}\n"
        f"PYTHONPATH=$PWD $EB_PYTHON -O /mnt/upstream_tests.py {easyconfig}",
        "upstream's tests of a pull request",
        reports=True,
        aside=True,
    )
