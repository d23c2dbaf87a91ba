"""TCP ports on loopback: which are free, which are taken."""

import socket

from ops.stack.processes import StackError


def is_free(port: int) -> bool:
    """Whether somebody could listen on it now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_block(first: int, last: int, size: int) -> int:
    """The first of `size` neighbouring ports from `first` to `last` that nobody listens on; StackError without any."""
    for start in range(first, last, size):
        if all(map(is_free, range(start, start + size))):
            return start
    raise StackError(f"no {size} free ports from {first} to {last}")


def free(count: int = 1) -> list[int]:
    """Different ports that nobody listens on right now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()
