# Language policy: EXEMPT from the Rust-path rule. Calls rattler-build; no computation.
"""Do one piece of work with rattler-build or rattler, in a process of its own.

`conda_channel.Sandbox` starts this file with a private home and a closed PATH, because both
libraries hand their own environment on to the scripts they run. It imports nothing of hpcgate: it
reads a request from one JSON file and writes the answer to another; what it prints is the log.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["main"]

Answer = Any


class _Log:
    """Print what a build says; without a callback it is silent, even when it fails."""

    def on_download_start(self, event: Any) -> None:
        """Say nothing: every package comes from a local channel."""

    def on_download_progress(self, event: Any) -> None:
        """Say nothing."""

    def on_download_complete(self, event: Any) -> None:
        """Say nothing."""

    def on_build_step(self, event: Any) -> None:
        """Print the step."""
        print(f"## {event.step_name} {event.message}", flush=True)

    def on_log(self, event: Any) -> None:
        """Print the line."""
        print(f"[{event.level}] {event.message}", flush=True)


def pack(out: str, packages: list[dict[str, Any]], platform: str) -> Answer:
    """Make a package of each staged folder.

    A package that says what it exports to those who build with it comes from a small recipe, since
    an assembled package cannot say that.
    """
    from rattler_build import assemble_package

    for package in packages:
        print(f"## {package['name']} {package['version']} {package['build']}", flush=True)
        if package["run_exports"]:
            _build_exporting(package, out, platform)
            continue
        assemble_package(
            package["name"],
            package["version"],
            platform,
            package["build"],
            Path(out, platform),
            files_dir=package["files"],
            depends=package["depends"],
            license="LicenseRef-Stand-In",
            summary="Stand-in made by the smoke session of mars-earth",
            compression_level=1,
            detect_prefix=False,
        )
    return {}


def _build_exporting(package: dict[str, Any], out: str, platform: str) -> None:
    from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, VariantConfig

    recipe = {
        "package": {"name": package["name"], "version": package["version"]},
        "build": {
            "number": 0,
            "string": package["build"],
            "script": [f"cp -a {package['files']}/. $PREFIX/"],
            "dynamic_linking": {"binary_relocation": False},
            "prefix_detection": {"ignore": True},
            "python": {"skip_pyc_compilation": ["**/*.py"]},
        },
        "requirements": {"run": package["depends"], "run_exports": package["run_exports"]},
        "about": {"license": "LicenseRef-Stand-In"},
    }
    path = Path(package["files"] + ".recipe", "recipe.yaml")
    path.parent.mkdir()
    path.write_text(json.dumps(recipe))  # JSON is YAML
    config = RenderConfig(
        PlatformConfig(target_platform=platform, build_platform=platform, host_platform=platform)
    )
    (variant,) = Stage0Recipe.from_file(path).render(VariantConfig(), config)
    # The default level takes ten times as long, for a package that never leaves the machine.
    variant.run_build(
        output_dir=out, channels=[], package_format="conda:1", progress_callback=_Log()
    )


def index(channel: str) -> Answer:
    """Write the index of a channel."""
    from rattler.index import index_fs  # type: ignore[import-not-found,unused-ignore]

    Path(channel, "noarch").mkdir(parents=True, exist_ok=True)
    asyncio.run(index_fs(Path(channel), force=True))
    return {}


def find(channel: str, names: list[str], platform: str) -> Answer:
    """Return the versions that a channel has of some packages, or why it cannot be read."""
    from rattler import Gateway, MatchSpec, Subdir

    async def query() -> list[Any]:
        places, specs = [Subdir(platform), Subdir("noarch")], [MatchSpec(name) for name in names]
        return list(await Gateway().query([channel], places, specs, recursive=False))

    try:
        records = [record for found in asyncio.run(query()) for record in found]
    except Exception as error:  # the library's own errors have many types
        print(error, file=sys.stderr)
        return {"read": False, "why": str(error).splitlines()[-1].removeprefix("Caused by: ")}
    versions: dict[str, list[str]] = {}
    for record in records:
        versions.setdefault(record.name.normalized, []).append(str(record.version))
    return {"read": True, "versions": versions}


def _render(recipe: str, variants: dict[str, Any], build: str, target: str) -> list[Any]:
    from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, VariantConfig

    config = RenderConfig(
        PlatformConfig(target_platform=target, build_platform=build, host_platform=target)
    )
    zipped = [["python", "is_python_min"]]
    return list(Stage0Recipe.from_file(recipe).render(VariantConfig(variants, zipped), config))


def render(recipe: str, variants: dict[str, Any], build: str, target: str) -> Answer:
    """Return the plan of every variant, as a recipe without anything left to decide."""
    return [rendered.recipe.to_dict() for rendered in _render(recipe, variants, build, target)]


def skips(recipe: str, variant_file: str, channels: list[str], out: str, platform: str) -> Answer:
    """Build with the semantics of the command line, which honours `skip`; name what was built."""
    from rattler_build import build_recipes

    build_recipes(
        [recipe],
        channel=channels,
        variant_config=[variant_file],
        build_platform=platform,
        target_platform=platform,
        test="skip",
        output_dir=out,
    )
    return [path.name for path in Path(out).rglob("*.conda")]


def build(
    recipe: str, variants: dict[str, Any], channels: list[str], out: str, platform: str
) -> Answer:
    """Build the only variant, without its tests, and unpack the package to look at."""
    from rattler.package_streaming import (  # type: ignore[import-not-found,unused-ignore]
        extract,
    )
    from rattler_build import Package, ToolConfiguration

    (rendered,) = _render(recipe, variants, platform, platform)
    result = rendered.run_build(
        tool_config=ToolConfiguration(test_strategy="skip", use_sharded=False),
        output_dir=out,
        channels=channels,
        progress_callback=_Log(),
    )
    (path,) = result.packages
    unpacked = Path(out, "unpacked")
    extract(path, unpacked)
    return {
        "path": str(path),
        "unpacked": str(unpacked),
        "tests": [type(test).__name__ for test in Package.from_file(path).tests],
    }


def test(package: str, number: int, channels: list[str]) -> Answer:
    """Run one test that the package carries."""
    from rattler_build import Package

    result = Package.from_file(package).run_test(
        number, channel=channels, use_sharded=False, progress_callback=_Log()
    )
    print("\n".join(result.output))
    said = " ".join((result.output or [""])[-1].split())
    return {"passed": result.success, "why": "" if result.success else said}


def install(channels: list[str], specs: list[str], prefix: str) -> Answer:
    """Solve and link an environment; return what is in it."""
    from rattler import Gateway, VirtualPackage, install, solve

    async def run() -> list[str]:
        records = await solve(
            channels,
            specs,
            gateway=Gateway(),
            virtual_packages=VirtualPackage.detect(),
        )
        await install(records, target_prefix=prefix, show_progress=False)
        return sorted(f"{r.name.normalized} {r.version} {r.build}" for r in records)

    return asyncio.run(run())


WORK: dict[str, Callable[..., Answer]] = {
    work.__name__: work for work in (pack, index, find, render, skips, build, test, install)
}


def main() -> int:
    """Do what the request file asks and write the answer file."""
    request, answer = Path(sys.argv[1]), Path(sys.argv[2])
    asked = json.loads(request.read_text(encoding="utf-8"))
    try:
        answer.write_text(json.dumps(WORK[asked.pop("work")](**asked)), encoding="utf-8")
    except Exception as error:
        # The libraries' errors have many types and lines; the last line of the log says it all.
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # rattler's threads can outlive the interpreter and then crash it, so it is not torn down.
    os._exit(status)
