# SPDX-License-Identifier: MIT
"""Rules over targets that share connections."""
import lib
from edge import Edge


def shared(servers, balance=None, weights=(), priorities=(), port=None, **more):
    """A rule over these servers, of equal priority unless told otherwise."""
    targets = []
    for i, s in enumerate(servers):
        entry = {"host": s.host, "port": s.port, "priority": priorities[i] if priorities else 0}
        if weights:
            entry["weight"] = weights[i]
        targets.append(entry)
    return {"listen_port": port or lib.free_port(), "protocol": "tcp", "targets": targets,
            **({"balance": balance} if balance else {}), **more}


def start(t, r, workers=None, env=None):
    edge = Edge(t, [r], workers=workers, env=env).start()
    return edge, r["listen_port"]
