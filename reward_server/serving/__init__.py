"""The RPCs over the wire: bytes in, bytes out, and what protects the channel."""
