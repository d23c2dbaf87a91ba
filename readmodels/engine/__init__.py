"""The projection engine: folds events into rows, journal and checkpoint in one transaction (DESIGN §7)."""

from readmodels.engine.apply import (
    Applied,
    Fill,
    LogBehind,
    advance,
    apply_batch,
    catch_up,
    checkpoints,
    digest,
)
from readmodels.engine.deliveries import Delivery, Hole, chained
from readmodels.engine.fold import Failure
from readmodels.engine.versions import create, live, prepare
from readmodels.engine.views import Document, View

__all__ = [
    "Applied",
    "Delivery",
    "Document",
    "Failure",
    "Fill",
    "Hole",
    "LogBehind",
    "View",
    "advance",
    "apply_batch",
    "catch_up",
    "chained",
    "checkpoints",
    "create",
    "digest",
    "live",
    "prepare",
]
