"""Who a process is: a name that no other has, nor had before."""

import os
import socket
import uuid

from producers.presence import Process


def this_process(kind: str) -> Process:
    host = socket.gethostname()
    return Process(f"{host}:{uuid.uuid4().hex}", kind, host, os.getpid())
