"""Every view there is, by its name."""

from typing import Any, Final

from readmodels.engine.views import View
from readmodels.workers import SUMMARIES

VIEWS: Final[dict[str, View[Any]]] = {view.name: view for view in (SUMMARIES,)}
