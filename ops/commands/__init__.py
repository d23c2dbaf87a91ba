"""The operator's commands, added to `oa` through the entry-point group `oa.commands`."""

import typer


def register(app: typer.Typer) -> None:
    from ops.commands import (
        backup,
        bench,
        doctor,
        erase,
        log,
        migrate,
        projections,
        relay,
        schemas,
        serve,
        status,
        up,
    )

    for module in (
        up,
        status,
        doctor,
        backup,
        log,
        projections,
        relay,
        erase,
        schemas,
        serve,
        migrate,
        bench,
    ):
        module.register(app)
