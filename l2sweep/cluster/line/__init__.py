"""The connection between the launcher and a worker: lines of JSON, a handshake, and the messages."""
