"""A password in the encodings in which clients print it."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus


def all_forms(password: str) -> str:
    """Return a password in every encoding that a client may print."""
    both = f"user:{password}".encode()
    forms = [
        password,
        json.dumps(password),
        repr(password),
        repr(password.encode()),
        quote(password, safe=""),
        re.sub("%..", lambda escape: escape[0].lower(), quote_plus(password)),
        base64.b64encode(password.encode()).decode(),
        base64.b64encode(both).decode(),
        f"redis://user:{quote(password)}@host:6379",
    ]
    return " | ".join(forms)
