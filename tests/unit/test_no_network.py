"""A unit test that would speak to another machine fails."""

import socket

import pytest


def test_another_machine_cannot_be_connected_to() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="belongs to tests/integration"):
        client.connect(("192.0.2.1", 80))


def test_this_machine_can() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
