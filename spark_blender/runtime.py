"""The one `Session` of an enabled add-on. It lives in Python, not in the .blend: undo and loading leave it alone."""

from .session import Session

_session: Session | None = None


def session() -> Session:
    """The session; only while the add-on is enabled."""
    if _session is None:
        raise RuntimeError("the add-on is not enabled")
    return _session


def open_session() -> Session:
    """Makes the session."""
    global _session
    _session = Session()
    return _session


def close_session() -> None:
    """Lets go of every job and of the session."""
    global _session
    if _session is not None:
        _session.close()
    _session = None
