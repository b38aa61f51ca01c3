"""Secrets: what of an address is one, and a text that does not tell it."""

from __future__ import annotations

import re

SECRETS = frozenset(
    {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
)
"""Of libpq's parameters: https://www.postgresql.org/docs/current/libpq-connect.html"""

_NAMES = "|".join(sorted(SECRETS))
_URL_PASSWORD = re.compile(r"(//[^:/@\[\s]*):(?:[^/\s]*|[^?\s]*|(?!\d*[/?,])[^@\s]*)@")
"""Up to the last `@` before a slash; else, as a password may well have slashes, before a
question mark; else, what is no port, up to the first `@`."""
_URL_SECRET = re.compile(rf"(?i)([?&](?:{_NAMES}))=[^&\s]*")
_KEYWORD_SECRET = re.compile(
    rf"(?is)(?<![?&\w])({_NAMES})\s*=\s*(?:'(?:[^'\\]|\\.)*(?:'|$)|(?:[^\s\\]|\\.)*)"
)
"""Its value is in quotes or ends at a blank; a backslash stands before what means itself."""


def redacted(text: str) -> str:
    """`text`, with the secrets of every URL and keyword string in it taken out.

    For people: an address that is to be used again is made by
    `llmtune.postgres.live.address.without_secrets`.
    """
    text = _URL_PASSWORD.sub(r"\1@", text)
    text = _URL_SECRET.sub(r"\1=***", text)
    return _KEYWORD_SECRET.sub(r"\1=***", text)
