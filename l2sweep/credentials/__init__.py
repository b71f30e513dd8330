"""Find credentials, and keep them out of everything that is written, logged or shown."""

from l2sweep.credentials.names import is_credential_name
from l2sweep.credentials.process_list import hide_from_process_list
from l2sweep.credentials.scrub import map_texts, redact_override, redact_text, scrub
from l2sweep.credentials.specs import (
    differ_only_in_credentials,
    literal_fields,
    literal_secrets,
    redact,
    secrets_of,
    strip_credentials,
)
from l2sweep.credentials.texts import REDACTED, literals_in_text, secrets_in_text

__all__ = [
    "REDACTED",
    "differ_only_in_credentials",
    "hide_from_process_list",
    "is_credential_name",
    "literal_fields",
    "literal_secrets",
    "literals_in_text",
    "map_texts",
    "redact",
    "redact_override",
    "redact_text",
    "scrub",
    "secrets_in_text",
    "secrets_of",
    "strip_credentials",
]
