"""`oa bench NAME`: our figure and a peer's, from one run (DESIGN §10)."""

import importlib
import pkgutil
from types import ModuleType
from typing import Annotated

import typer

from ops import bench as benches
from ops.commands.options import screen, telling_errors
from ops.stack.processes import StackError

Name = Annotated[str | None, typer.Argument(help="append, live-events …", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def register(app: typer.Typer) -> None:
    app.command()(bench)


def bench(name: Name = None, as_json: AsJson = False) -> None:
    """Measure one row of DESIGN §10; without a name, list them."""
    with telling_errors():
        if name is None:
            _list()
            return
        if name not in names():
            raise StackError(f"no bench {name!r}: there are {', '.join(names())}")
        _module(name.replace("-", "_")).main(as_json=as_json)


def names() -> list[str]:
    """Every module of `ops.bench` that can be run: those with a `main`."""
    modules = (module.name for module in pkgutil.iter_modules(benches.__path__))
    return sorted(name.replace("_", "-") for name in modules if hasattr(_module(name), "main"))


def _list() -> None:
    """Each with the first line of its module, which begins with the command."""
    for name in names():
        _, _, what = (_module(name.replace("-", "_")).__doc__ or "").partition(": ")
        screen.print(f"{name:<16}{what}", markup=False, highlight=False, soft_wrap=True)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"ops.bench.{name}")
