# SPDX-License-Identifier: MIT
"""ClientHellos as tests need them: whole ones, cut ones, wrong ones."""
import struct


def extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def server_name(name):
    entry = b"\0" + struct.pack("!H", len(name)) + name
    return extension(0, struct.pack("!H", len(entry)) + entry)


def message(name=None, pad=0, more=b""):
    """The handshake message; pad: bytes of an extension that nobody knows."""
    extensions = server_name(name.encode() if isinstance(name, str) else name) if name is not None else b""
    if pad:
        extensions += extension(0x1a1a, bytes(pad))
    extensions += more
    body = b"\x03\x03" + bytes(range(32)) + b"\x20" + bytes(32) + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += struct.pack("!H", len(extensions)) + extensions
    return b"\x01" + struct.pack("!I", len(body))[1:] + body


def records(data, sizes=(), rest=16384):
    """As TLS records: of these sizes, then of rest each."""
    out, sizes = b"", list(sizes)
    while data:
        n = sizes.pop(0) if sizes else rest
        out += b"\x16\x03\x01" + struct.pack("!H", len(data[:n])) + data[:n]
        data = data[n:]
    return out


def hello(name=None, pad=0):
    return records(message(name, pad))


def of_size(total, name):
    """One whose records have so many bytes altogether."""
    pad = total - len(message(name, 1))
    while len(records(message(name, pad))) > total:
        pad -= 1
    data = records(message(name, pad))
    assert len(data) == total, (len(data), total)
    return data
