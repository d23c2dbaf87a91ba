"""What pytest needs on top in `make mutate`: quick property tests, and a name that mutmut 3.7 looks for."""

import pytest
from hypothesis import Phase, settings

# a failure need not be shrunk, and every mutant meets the same examples
settings.register_profile(
    "mutation", max_examples=20, deadline=None, database=None, phases=(Phase.explicit, Phase.generate), derandomize=True
)
settings.load_profile("mutation")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """mutmut reads `_nodeid`, which pytest 9 no longer has."""
    for item in items:
        setattr(item, "_nodeid", item.nodeid)  # noqa: B010 no attribute that pytest declares
