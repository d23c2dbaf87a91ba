"""Every view there is, by its name."""

from typing import Any, Final

from readmodels import notifications, run_tables, runs, workers
from readmodels.engine.views import View

VIEWS: Final[dict[str, View[Any]]] = {
    view.name: view for view in (workers.SUMMARIES, runs.SUMMARIES, notifications.NOTICES, *run_tables.TABLES)
}
