"""How a child can end without an answer. None of these is a `DocumentError`: the caller decides."""

from octavo.errors import OctavoError


class ChildFailure(OctavoError):
    """A sandboxed child gave no answer; the message says how it ended."""


class ChildDied(ChildFailure):
    """The child ended by itself: a signal of its own making, a limit, a broken answer, a defect."""

    code = "child_died"


class ChildOverdue(ChildFailure):
    """The child took too long and was killed by its owner."""

    code = "child_overdue"


class ChildLost(ChildFailure):
    """Somebody else ended the child, or its fork server; no fault of the document."""

    code = "child_lost"


class ReadingStopped(OctavoError):
    """The reading was broken off because nobody waits for it any more; the child did nothing wrong."""

    code = "reading_stopped"


class SandboxUnavailable(OctavoError):
    """The sandbox cannot be set up on this machine; the message says what is missing."""

    code = "sandbox_unavailable"
