"""Children between two documents of one customer. A child never meets a second customer."""

from octavo.engines.sandbox.child_handle import ChildHandle


class IdleChildren:
    """At most `most` children that can be used again. Not thread-safe: their pool sees to that."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._children: list[ChildHandle] = []

    def take(self, customer: str | None) -> ChildHandle | None:
        """Return the child that has read for this customer last, or else one that has read for nobody."""
        own = [child for child in self._children if child.served and child.customer == customer]
        unused = [child for child in self._children if not child.served]
        for child in (*reversed(own), *unused):
            self._children.remove(child)
            return child
        return None

    def put(self, child: ChildHandle) -> list[ChildHandle]:
        """Keep a child; returns those that have waited longest, as far as there are too many now."""
        self._children.append(child)
        pushed_out, self._children = self._children[: -self._most], self._children[-self._most :]
        return pushed_out

    def take_all(self) -> list[ChildHandle]:
        """Return all of them, keeping none."""
        children, self._children = self._children, []
        return children
