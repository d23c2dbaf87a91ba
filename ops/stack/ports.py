"""TCP ports on loopback: which are free, which are taken."""

import socket


def is_free(port: int) -> bool:
    """Whether somebody could listen on it now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free(count: int = 1) -> list[int]:
    """Different ports that nobody listens on right now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()
