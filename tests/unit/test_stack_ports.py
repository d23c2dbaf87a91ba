"""The ports of a local stack."""

import socket
from pathlib import Path

from ops.settings import StackSettings
from ops.stack import local, ports
from ops.stack.local import Ports


def settings(port: int, each: int = 1) -> StackSettings:
    return StackSettings(Path("/srv/oa"), port, Path("/srv/cache"), None, 1, each)


def free_blocks(count: int) -> int:
    return ports.free_block(25_000, 26_000, count * local.BLOCK)


def test_the_first_of_each_keeps_its_port_whatever_comes_beside_it() -> None:
    one, three = Ports(8750), Ports(8750, each=3)
    assert one.ours() == {"edge": 8750, "relay": 8755, "processors": 8756}
    assert three.ours().items() >= one.ours().items()
    assert list(three.ours())[3:] == ["edge-2", "relay-2", "processors-2", "edge-3", "relay-3", "processors-3"]


def test_no_port_is_given_twice_and_all_are_in_the_block() -> None:
    wanted = Ports(8750, each=5)
    given = [*wanted.listening().values(), wanted.postgres]
    assert len(set(given)) == len(given)
    assert all(8750 <= port < 8750 + local.BLOCK for port in given)


def test_each_process_is_told_its_own_port() -> None:
    programs = local.our_programs(settings(8750, each=2), {"PATH": "/bin"})
    told = {program.name: program.environment for program in programs}
    assert told["edge"]["OA_EDGE_PORT"] == "8750"
    assert told["edge-2"]["OA_EDGE_PORT"] == "8758"
    assert told["processors-2"]["OA_PROCESSORS_HEALTH_PORT"] == "8760"
    assert all(program.command[-1] == program.name.partition("-")[0] for program in programs)


def test_a_block_of_which_one_port_is_taken_is_passed_over() -> None:
    first = free_blocks(2)
    assert local.with_free_ports(settings(first)).port == first
    with socket.create_server(("127.0.0.1", first + 3)):
        assert local.with_free_ports(settings(first)).port == first + local.BLOCK
        assert local.taken(Ports(first)) == {"Redis": first + 3}


def test_a_port_that_only_more_processes_need_does_not_matter_to_fewer() -> None:
    first = free_blocks(2)
    with socket.create_server(("127.0.0.1", first + 8)):
        assert local.with_free_ports(settings(first)).port == first
        assert local.with_free_ports(settings(first, each=2)).port == first + local.BLOCK
