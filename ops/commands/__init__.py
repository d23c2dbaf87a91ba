"""The operator's commands, added to `oa` through the entry-point group `oa.commands`."""

import typer


def register(app: typer.Typer) -> None:
    from ops.commands import (
        audit,
        backup,
        bench,
        doctor,
        erase,
        log,
        migrate,
        policy,
        projections,
        quarantine,
        relay,
        runs,
        schemas,
        serve,
        status,
        up,
    )

    for module in (
        up,
        status,
        doctor,
        audit,
        backup,
        log,
        projections,
        policy,
        relay,
        erase,
        runs,
        quarantine,
        schemas,
        serve,
        migrate,
        bench,
    ):
        module.register(app)
