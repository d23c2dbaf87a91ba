"""Named SQL statements: each module's queries live in a `.sql` file beside it, under `-- name: <name>` lines."""

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load(module_file: str, name: str | None = None) -> dict[str, str]:
    """Statements of `<module>.sql` by name; `module_file` is the caller's `__file__`."""
    path = Path(module_file).with_name(f"{name}.sql") if name else Path(module_file).with_suffix(".sql")
    _, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}
