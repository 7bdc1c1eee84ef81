"""Docker's framing of an attached container: what is the supervisor's standard output, what its errors.

Each frame is a header of 8 bytes (stream, three zeros, length) and its content, in pieces of any size.
"""

_HEADER_BYTES = 8
_STDERR = 2
_MAX_STDERR_CHARS = 2000


class AttachedStreams:
    """Takes the framing off; keeps the end of standard error."""

    def __init__(self) -> None:
        self._framed = bytearray()
        self._stderr = ""

    def unframe(self, data: bytes) -> bytes:
        """Take the next bytes of the connection; returns those of standard output that are complete."""
        self._framed += data
        stdout = b""
        while len(self._framed) >= _HEADER_BYTES:
            end = _HEADER_BYTES + int.from_bytes(self._framed[4:8], "big")
            if len(self._framed) < end:
                break
            content = bytes(self._framed[_HEADER_BYTES:end])
            if self._framed[0] == _STDERR:
                self._stderr = (self._stderr + content.decode("utf-8", "replace"))[-_MAX_STDERR_CHARS:]
            else:
                stdout += content
            del self._framed[:end]
        return stdout

    def last_words(self) -> str:
        """Return the end of standard error."""
        return self._stderr.strip()
