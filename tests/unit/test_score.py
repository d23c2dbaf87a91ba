"""How `make mutate` counts."""

from collections import Counter

from ops.mutation.score import killed, statuses

RESULTS = """
    producers.workers.x_decide__mutmut_1: killed
    producers.workers.x_decide__mutmut_2: survived
    producers.workers.xǁWorkerǁname__mutmut_1: timeout
    edge.sync.framing.x_framing_of__mutmut_1: no tests
To show a mutant: mutmut show <name>
"""


def test_mutants_are_counted_by_module() -> None:
    assert statuses(RESULTS) == {
        "producers.workers": Counter(killed=1, survived=1, timeout=1),
        "edge.sync.framing": Counter({"no tests": 1}),
    }


def test_a_mutant_that_hangs_is_killed_and_one_without_tests_is_not() -> None:
    assert [killed(ended) for ended in statuses(RESULTS).values()] == [2, 0]
