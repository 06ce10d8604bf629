"""Who reads next: places and memory, handed out to customers in turn. Pure: no threads, no clock.

The next place goes to the customer who has the fewest, among equals to the one whose last turn is longest ago; inside a
customer first come, first served. A turn may be passed on inside a customer: short documents share one. While a
customer has none and others have them all, the places for newcomers are there.

A document whose turn it is, but for which there is not enough memory, is kept room for: from then on others are given
places only as far as they fit beside it. So it waits at most until what is being read at that moment has ended, and
whoever fits beside it does not wait.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Place:
    """One document's place: asked for, then given, then left."""

    customer: str | None
    memory_bytes: int
    is_apart: bool = False
    """Whether it is beside the places: it waits for nothing, but others wait for the memory it takes."""
    is_given: bool = False
    given_at: int = field(default=0, init=False)
    """The turn with which it was given."""
    kept_room_since: int | None = field(default=None, init=False)
    """The turn after which others may have memory only beside it."""


class PlaceQueue:
    """`places` documents at once, as far as they fit into `memory_bytes`, and `newcomer_places` more for customers who
    have none.

    Call `hand_out` after every change. A document that needs more than all of the memory is read alone.
    """

    def __init__(self, *, places: int, newcomer_places: int = 0, memory_bytes: int | None = None) -> None:
        self._places = places
        self._newcomer_places = newcomer_places
        self._memory_bytes = memory_bytes
        self._turn = 0
        self._last_turn: dict[str | None, int] = {}
        self._waiting: dict[str | None, list[Place]] = {}
        self._given: list[Place] = []
        self._apart: list[Place] = []

    @property
    def waiting(self) -> tuple[Place, ...]:
        """Those who wait, in the order of their turns."""
        return tuple(self._in_turn())

    @property
    def given(self) -> tuple[Place, ...]:
        """The places that are taken, without those apart."""
        return tuple(self._given)

    @property
    def remembered(self) -> int:
        """Of how many customers the last turn is remembered."""
        return len(self._last_turn)

    def ask(self, customer: str | None, memory_bytes: int) -> Place:
        """Wait in the queue for a place."""
        place = Place(customer, memory_bytes)
        self._waiting.setdefault(customer, []).append(place)
        return place

    def take_apart(self, customer: str | None, memory_bytes: int) -> Place:
        """Take a place beside the others, at once."""
        place = Place(customer, memory_bytes, is_apart=True)
        self._give(place, self._apart)
        return place

    def leave(self, place: Place) -> None:
        """Give a place back, or wait for it no more."""
        if place.is_apart:
            self._apart.remove(place)
        elif place.is_given:
            self._given.remove(place)
        else:
            self._stop_waiting(place)
        self._forget_old_turns()

    def pass_on(self, place: Place) -> Place | None:
        """Give a place back to the customer's own next document, whose turn is still the same; return that document.

        None, and nothing done, where the customer has none waiting that needs no more memory.
        """
        following = next(iter(self._waiting.get(place.customer, ())), None)
        if place.is_apart or following is None or following.memory_bytes > place.memory_bytes:
            return None
        self._stop_waiting(following)
        self._given.remove(place)
        following.is_given, following.given_at = True, place.given_at
        self._given.append(following)
        return following

    def hand_out(self) -> list[Place]:
        """Give places to those whose turn it is, as far as there are any; return them."""
        handed_out = []
        while (place := self._next()) is not None:
            self._stop_waiting(place)
            self._give(place, self._given)
            self._last_turn[place.customer] = self._turn
            handed_out.append(place)
        return handed_out

    def _give(self, place: Place, given: list[Place]) -> None:
        self._turn += 1
        place.is_given, place.given_at = True, self._turn
        given.append(place)

    def _stop_waiting(self, place: Place) -> None:
        own = self._waiting[place.customer]
        own.remove(place)
        if not own:
            del self._waiting[place.customer]

    def _next(self) -> Place | None:
        first: Place | None = None
        having = self._having()
        for place in self._in_turn():
            if not self._has_place(having[place.customer]):
                continue
            if self._has_memory(place) and (first is None or self._fits_beside(first, place)):
                return place
            if first is None:
                first = place
                if first.kept_room_since is None:
                    first.kept_room_since = self._turn
        return None

    def _having(self) -> Counter[str | None]:
        return Counter(place.customer for place in self._given)

    def _in_turn(self) -> Iterator[Place]:
        having = self._having()
        # Whoever never had a turn comes first, and `sorted` keeps the order in which those came.
        turns = sorted(self._waiting, key=lambda customer: (having[customer], self._last_turn.get(customer, 0)))
        for customer in turns:
            yield from self._waiting[customer]

    def _has_place(self, has_already: int) -> bool:
        return len(self._given) < self._places + (0 if has_already else self._newcomer_places)

    def _has_memory(self, place: Place) -> bool:
        if self._memory_bytes is None or not self._given:
            return True
        # Those apart ask for no turn: without end they could hold up whoever waits, so later ones do not count.
        apart = [one for one in self._apart if place.kept_room_since is None or one.given_at <= place.kept_room_since]
        return _memory(self._given) + _memory(apart) + place.memory_bytes <= self._memory_bytes

    def _fits_beside(self, first: Place, place: Place) -> bool:
        """Whether `first` can have its memory once all that was given before it came to wait for it has ended."""
        if self._memory_bytes is None or first.kept_room_since is None:
            return True
        later = [one for one in self._given if one.given_at > first.kept_room_since]
        return _memory(later) + place.memory_bytes + first.memory_bytes <= self._memory_bytes

    def _forget_old_turns(self) -> None:
        """Forget turns that are before those of all who wait: without them a customer has the same place in the order.

        So what is remembered is bounded by the customers served while somebody waits.
        """
        present = {*self._waiting, *(place.customer for place in self._given)}
        oldest = min((self._last_turn.get(customer, 0) for customer in self._waiting), default=self._turn + 1)
        for customer in [one for one, turn in self._last_turn.items() if turn < oldest and one not in present]:
            del self._last_turn[customer]


def _memory(places: list[Place]) -> int:
    return sum(place.memory_bytes for place in places)
