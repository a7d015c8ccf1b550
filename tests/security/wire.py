"""Requests as bytes, so that a test sends exactly what it means to."""

from __future__ import annotations

import socket

from tests.installation import Installation


def connect(site: Installation, seconds: float = 10) -> socket.socket:
    host, _, port = site.address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and all bytes until the server closes, or has said as much as it announced; 0 for none."""
    data = b""
    while (whole := _length(data)) is None or len(data) < whole:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return (int(data.split(b" ", 2)[1]) if data else 0), data


def ask(site: Installation, data: bytes) -> tuple[int, bytes]:
    with connect(site) as connection:
        connection.sendall(data)
        return answer(connection)


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {path} HTTP/1.1", *headers, *length, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _length(data: bytes) -> int | None:
    head, mark, _ = data.partition(b"\r\n\r\n")
    if not mark:
        return None
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line.partition(b":")[2])
    return len(head) + 4 if head.split(b" ")[1][:1] == b"1" else None
