# SPDX-License-Identifier: MIT
"""Requests that two readers of HTTP could understand differently, as bytes.

odd_requests() gives (name, bytes). Each hides a second request in what may or may not be its body:
one that removes the token `canary`, with the rights of whoever's request comes next on the same
connection. None of them may ever be done.
"""
import itertools

HIDDEN = b"DELETE /v1/tokens/canary HTTP/1.1\r\nX-Ignore: "
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "FOO")


def chunk(data, size=None, end=b"\r\n"):
    return (size if size is not None else b"%x" % len(data)) + end + data + end


def framings():
    """(name, header lines, body) of a body that holds the hidden request."""
    n, last = len(HIDDEN), b"0\r\n\r\n"
    whole = chunk(HIDDEN) + last
    yield "length", b"Content-Length: %d\r\n" % n, HIDDEN
    yield "chunked", b"Transfer-Encoding: chunked\r\n", whole
    yield "both", b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(last), last + HIDDEN
    yield "both, turned", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"%x\r\n" % n + HIDDEN + b"\r\n" + last
    yield "twice the same length", b"Content-Length: %d\r\n" % n * 2, HIDDEN
    yield "two lengths", b"Content-Length: 0\r\nContent-Length: %d\r\n" % n, HIDDEN
    yield "two lengths, turned", b"Content-Length: %d\r\nContent-Length: 0\r\n" % n, HIDDEN
    yield "list of lengths", b"Content-Length: %d, %d\r\n" % (n, n), HIDDEN
    yield "signed length", b"Content-Length: +%d\r\n" % n, HIDDEN
    yield "negative length", b"Content-Length: -%d\r\n" % n, HIDDEN
    yield "hexadecimal length", b"Content-Length: 0x%x\r\n" % n, HIDDEN
    yield "padded length", b"Content-Length: 00%d\r\n" % n, HIDDEN
    yield "blank before the colon", b"Content-Length : %d\r\n" % n, HIDDEN
    yield "underscore", b"Content_Length: %d\r\n" % n, HIDDEN
    yield "folded length", b"Content-Length:\r\n %d\r\n" % n, HIDDEN
    yield "unknown coding", b"Transfer-Encoding: xchunked\r\n", whole
    yield "two codings", b"Transfer-Encoding: chunked, identity\r\n", whole
    yield "coding twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", whole
    yield "coding behind a tab", b"Transfer-Encoding:\tchunked\r\n", whole
    yield "folded coding", b"Transfer-Encoding:\r\n chunked\r\n", whole
    yield "coding with a blank before the colon", b"Transfer-Encoding : chunked\r\n", whole
    yield "no length", b"", HIDDEN
    yield "upgrade", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n" \
                     b"Content-Length: %d\r\n" % n, HIDDEN
    yield "connection names the length", b"Connection: Content-Length\r\nContent-Length: %d\r\n" % n, HIDDEN


def chunkings():
    """(name, body) of POSTs with chunks that are not plain."""
    last = b"0\r\n\r\n"
    for name, size in (("0x", b"0x2"), ("blank", b" 2"), ("plus", b"+2"), ("minus", b"-2"), ("blank after", b"2 "),
                       ("extension", b"2;a=b"), ("quoted extension", b'2;a="\\r"'), ("empty extension", b"2;"),
                       ("zeros", b"0002"), ("too large", b"100000000000000002"), ("NUL", b"2\0"), ("quoted", b'"2"'),
                       ("comma", b"2,2"), ("tab", b"2\t")):
        yield "chunk size " + name, chunk(b"{}", size) + last + HIDDEN
    yield "chunk ended by LF", b"2\n{}\n0\n\n" + HIDDEN
    yield "chunk data ended by LF", b"2\r\n{}\n0\r\n\r\n" + HIDDEN
    yield "chunk longer than said", b"2\r\n{}xx\r\n0\r\n\r\n" + HIDDEN
    yield "trailer", b"2\r\n{}\r\n0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN
    yield "extension with LF", b"2;a\nx\r\n{}\r\n" + last + HIDDEN


def heads():
    """(name, whole request) with heads that are not plain."""
    n = len(HIDDEN)
    for name, data in (
            ("bare LF", b"POST /login HTTP/1.1\nHost: h\nContent-Length: %d\n\n" % n),
            ("one bare LF", b"POST /login HTTP/1.1\r\nHost: h\r\nX: y\nContent-Length: %d\r\n\r\n" % n),
            ("bare CR", b"POST /login HTTP/1.1\r\nHost: h\r\nX: y\rContent-Length: %d\r\n\r\n" % n),
            ("NUL in a value", b"POST /login HTTP/1.1\r\nHost: h\r\nX: a\0b\r\nContent-Length: %d\r\n\r\n" % n),
            ("folded line", b"POST /login HTTP/1.1\r\nHost: h\r\nX: y\r\n Content-Length: %d\r\n\r\n" % n),
            ("empty line first", b"\r\n\r\nHEAD /login HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % n),
            ("blank first", b" HEAD /login HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % n),
            ("two hosts", b"HEAD /login HTTP/1.1\r\nHost: h\r\nHost: i\r\nContent-Length: %d\r\n\r\n" % n),
            ("no host", b"HEAD /login HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % n),
            ("absolute target", b"HEAD http://i/login HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % n),
            ("version 1.0", b"HEAD /login HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ("version 1.9", b"HEAD /login HTTP/1.9\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % n),
            ("version 0.9", b"GET /login\r\n\r\n"),
            ("expectation", b"POST /login HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % n),
            ("HEAD with expectation",
             b"HEAD /login HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % n),
            ("method with a tab", b"HEAD\t/login HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % n),
            ("CONNECT", b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"),
            ("name with a blank", b"POST /login HTTP/1.1\r\nHost: h\r\nContent Length: %d\r\n\r\n" % n),
            ("colon first", b"POST /login HTTP/1.1\r\nHost: h\r\n:Content-Length: %d\r\n\r\n" % n),
            ("target with a blank", b"POST /login x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % n),
            ("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")):
        yield name, data + HIDDEN


def odd_requests(token):
    """About 250; every other one shows @token, so that some get beyond the refusal of strangers."""
    who = itertools.cycle((b"", b"Authorization: Bearer " + token.encode() + b"\r\n"))
    for method in METHODS:
        for name, lines, body in framings():
            yield (f"{method}, {name}",
                   f"{method} /v1/auth/status HTTP/1.1\r\nHost: h\r\n".encode() + next(who) + lines + b"\r\n" + body)
    for name, body in chunkings():
        yield (name, b"POST /v1/auth/token HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + next(who) +
               b"Transfer-Encoding: chunked\r\n\r\n" + body)
    yield from heads()
