"""The sockets that an API process listens at."""

import socket

from api.listening import Listeners
from octavo.settings import ApiSettings


def test_no_answer_waits_for_an_acknowledgement_of_its_first_piece() -> None:
    listeners = Listeners.bind(ApiSettings(port=0, internal_port=0))
    assert len(listeners.sockets) >= 2
    for listener in listeners.sockets:
        with listener, socket.create_connection(listener.getsockname()[:2]), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
