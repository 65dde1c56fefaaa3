# Language policy: EXEMPT from the Rust-path rule. Reads easyconfigs through EasyBuild.
"""Print, as one line of JSON, which modules a site needs before an easyconfig can be built.

`hpcgate.lanes.easybuild_site` runs this file with the Python that holds EasyBuild. Names, versions
and extensions come from the easyconfigs that EasyBuild itself brings, so a stand-in module cannot
have a name that upstream does not give.
"""

from __future__ import annotations

import json
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from easybuild.framework.easyconfig import easyconfig
from easybuild.tools.modules import NoModulesTool
from easybuild.tools.options import set_up_configuration

# A toolchain, or a compiler put together from others, is nothing without the modules it needs.
COLLECTIONS = {"toolchain", "compiler"}


def main(path: str, scratch: str) -> int:
    """Walk from one easyconfig to the modules it needs, and print each after those it needs."""
    # Reading an easyconfig asks which modules exist; here is no modules tool to ask.
    easyconfig.modules_tool = lambda *_, **__: NoModulesTool()
    upstream = Path(sys.prefix) / "easybuild" / "easyconfigs"
    allow = "--allow-use-as-root-and-accept-consequences"
    arguments = [f"--prefix={scratch}", f"--robot-paths={upstream}", allow]
    set_up_configuration(args=arguments, silent=True)
    found: dict[str, dict[str, Any]] = {}
    for needed in read(path)["dependencies"]:
        visit(needed, found)
    for module in found.values():
        module["needs"] = [name for name in module["needs"] if name in found]
    order = TopologicalSorter({name: module["needs"] for name, module in found.items()})
    print(json.dumps({"modules": [found[name] for name in order.static_order()]}))
    return 0


def visit(needed: dict[str, Any], found: dict[str, dict[str, Any]]) -> None:
    """Add one module, and those without which it is nothing."""
    name = needed["full_mod_name"]
    if name in found:
        return
    path = easyconfig.robot_find_easyconfig(needed["name"], name.partition("/")[2])
    if path is None:
        raise SystemExit(f"upstream has no easyconfig for the module {name}")
    config = read(path)
    loaded = [other for other in config["dependencies"] if not other.get("build_only")]
    found[name] = {
        "full_name": name,
        "name": needed["name"],
        "version": needed["version"],
        "needs": [other["full_mod_name"] for other in loaded],
        # What a module does not hold itself, it gets from the modules it loads.
        "extensions": {other["name"]: other["version"] for other in loaded}
        | {entry[0]: entry[1] for entry in config["ec"]["exts_list"]},
    }
    if config["ec"]["moduleclass"] in COLLECTIONS:
        for other in loaded:
            visit(other, found)


def read(path: str) -> dict[str, Any]:
    """Read the one easyconfig of a file."""
    (config,) = easyconfig.process_easyconfig(path)
    return dict(config)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
