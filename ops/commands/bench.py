"""`oa bench NAME`: our figure and a peer's, from one run (DESIGN §10)."""

import importlib
import pkgutil
from typing import Annotated

import typer

from ops import bench as benches
from ops.commands.options import telling_errors
from ops.stack.processes import StackError

Name = Annotated[str, typer.Argument(help="append, live-events …")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def register(app: typer.Typer) -> None:
    app.command()(bench)


def bench(name: Name, as_json: AsJson = False) -> None:
    """Measure one row of DESIGN §10."""
    with telling_errors():
        if name not in names():
            raise StackError(f"no bench {name!r}: there are {', '.join(names())}")
        importlib.import_module(f"ops.bench.{name.replace('-', '_')}").main(as_json=as_json)


def names() -> list[str]:
    """Every module of `ops.bench` that can be run: those with a `main`."""
    modules = (module.name for module in pkgutil.iter_modules(benches.__path__))
    return sorted(name.replace("_", "-") for name in modules if hasattr(_module(name), "main"))


def _module(name: str) -> object:
    return importlib.import_module(f"ops.bench.{name}")
