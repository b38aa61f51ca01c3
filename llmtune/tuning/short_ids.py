"""Ids by their first letters, as nobody types twelve."""

from __future__ import annotations

from collections.abc import Iterable

from llmtune.errors import SessionError


def whole_id(beginning: str, ids: Iterable[str], store: str) -> str:
    """The one of `ids` that begins so; `beginning` itself where none does, or it is one.

    Args:
        store: the name of what holds them, for the message.

    Raises:
        SessionError: several begin so.
    """
    found = sorted(one for one in ids if beginning and one.startswith(beginning))
    if not found or beginning in found:
        return beginning
    if len(found) > 1:
        raise SessionError(
            f"{beginning!r} begins {len(found)} ids in the store {store}: "
            f"{', '.join(found[:3])}{', ...' if len(found) > 3 else ''}; give more of one"
        )
    return found[0]
