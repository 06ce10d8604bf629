"""An answer that is a file: read piece by piece as the client takes it, and closed in the end."""

import io
from typing import IO

from fastapi import Response
from starlette.types import Receive, Scope, Send

from api.threads import in_thread

PIECE_BYTES = 256 * 1024


class FileAnswer(Response):
    """Sends an open file from its beginning, and closes it whatever happens."""

    def __init__(self, file: IO[bytes], *, media_type: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(media_type=media_type, headers=headers)
        self._file = file
        self.headers["Content-Length"] = str(file.seek(0, io.SEEK_END))
        file.seek(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while piece := await in_thread(lambda: self._file.read(PIECE_BYTES)):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._file.close()
