"""Places are handed out to customers in turn, and memory to whoever's turn it is, without starving or blocking."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from octavo.engines.sandbox.place_queue import Place, PlaceQueue

CUSTOMERS = ("a", "b", "c", "d", None)
MEMORY = 10


def ask(queue: PlaceQueue, customer: str | None, memory_bytes: int = 0, *, times: int = 1) -> list[Place]:
    places = [queue.ask(customer, memory_bytes) for _ in range(times)]
    queue.hand_out()
    return places


def leave(queue: PlaceQueue, *places: Place) -> list[Place]:
    """Give places back; returns who got them."""
    for place in places:
        queue.leave(place)
    return queue.hand_out()


def test_the_next_free_place_is_the_newcomer_s_however_many_wait() -> None:
    queue = PlaceQueue(places=2)
    slow = ask(queue, "many", times=24)
    (one,) = ask(queue, "newcomer")
    assert not one.is_given
    assert leave(queue, slow[0]) == [one]


def test_a_place_for_newcomers_is_there_at_once_and_again_for_their_next_document() -> None:
    queue = PlaceQueue(places=2, newcomer_places=1)
    slow = ask(queue, "many", times=24)
    assert sum(place.is_given for place in slow) == 2, "it is not for who has places already"
    first, second = ask(queue, "newcomer", times=2)
    assert first.is_given
    assert not second.is_given
    assert leave(queue, first) == [second]
    assert leave(queue, slow[0]) == [], "until one of two is left, it was the second of two that ended"
    assert leave(queue, second) == [slow[2]]


def test_two_customers_have_as_many_places_each() -> None:
    queue = PlaceQueue(places=4)
    many = ask(queue, "many", times=10)
    few = ask(queue, "few", times=10)
    for place in many[:4]:
        leave(queue, place)
    assert Counter(place.customer for place in queue.given) == {"many": 2, "few": 2}
    assert [place.is_given for place in few] == [True] * 2 + [False] * 8, "first come, first served"


def test_who_stops_waiting_holds_nobody_up() -> None:
    queue = PlaceQueue(places=1)
    (running,) = ask(queue, "a")
    (gone,) = ask(queue, "b")
    (next_one,) = ask(queue, "c")
    assert leave(queue, gone) == []
    assert leave(queue, running) == [next_one]


def test_what_fits_beside_a_document_that_waits_for_memory_goes_on() -> None:
    queue = PlaceQueue(places=3, memory_bytes=10)
    ask(queue, "a", 7)
    (big,) = ask(queue, "b", 6)
    (small,) = ask(queue, "c", 3)
    assert (big.is_given, small.is_given) == (False, True)


def test_a_document_that_waits_for_memory_is_not_overtaken_by_what_it_would_have_to_wait_for() -> None:
    queue = PlaceQueue(places=8, memory_bytes=10)
    first, second = ask(queue, "small", 4, times=2)
    (big,) = ask(queue, "big", 8)
    (third,) = ask(queue, "other", 4)
    assert leave(queue, first) == [], "there is room for the third, but the big one would wait for it"
    assert leave(queue, second) == [big]
    assert leave(queue, big) == [third]


def test_a_document_that_needs_all_memory_is_read_alone_and_then_it_is_the_others_turn() -> None:
    queue = PlaceQueue(places=2, newcomer_places=1, memory_bytes=10)
    (running,) = ask(queue, "small", 1)
    huge = ask(queue, "huge", 50, times=2)
    (next_one,) = ask(queue, "small", 1)
    assert leave(queue, running) == [huge[0]]
    assert leave(queue, huge[0]) == [next_one]
    assert leave(queue, next_one) == [huge[1]]


def test_a_turn_can_be_passed_on_to_the_customer_s_next_document() -> None:
    queue = PlaceQueue(places=1, memory_bytes=10)
    first, second = ask(queue, "a", 4, times=2)
    (other,) = ask(queue, "b", 4)
    assert queue.pass_on(first) is second
    assert queue.pass_on(second) is None, "the customer has no other"
    assert leave(queue, second) == [other]


def test_a_turn_is_not_passed_on_to_a_document_that_needs_more_memory() -> None:
    queue = PlaceQueue(places=1, memory_bytes=10)
    (first,) = ask(queue, "a", 4)
    (large,) = ask(queue, "a", 5)
    assert queue.pass_on(first) is None
    assert leave(queue, first) == [large]


def test_sync_extractions_without_end_do_not_starve_who_waits_for_memory() -> None:
    queue = PlaceQueue(places=2, memory_bytes=10)
    call = queue.take_apart("caller", 5)
    (running,) = ask(queue, "small", 2)
    (big,) = ask(queue, "big", 9)
    assert not big.is_given
    later = queue.take_apart("caller", 5)
    assert leave(queue, call) == []
    assert leave(queue, running) == [big], "the later call is beside it"
    leave(queue, later)


class Places(RuleBasedStateMachine):
    """Customers ask for places, leave them and stop waiting, in any order."""

    asked: Bundle[Place] = Bundle("asked")

    def __init__(self) -> None:
        super().__init__()
        self.queue = PlaceQueue(places=2, newcomer_places=1, memory_bytes=MEMORY)
        self.all: list[Place] = []
        self.apart: list[Place] = []
        self.passed: dict[str | None, Counter[str | None]] = {}

    @rule(target=asked, customer=st.sampled_from(CUSTOMERS), memory_bytes=st.integers(0, 12))
    def ask(self, customer: str | None, memory_bytes: int) -> Place:
        place = self.queue.ask(customer, memory_bytes)
        self.all.append(place)
        self.check(self.queue.hand_out())
        return place

    @rule(target=asked, customer=st.sampled_from(CUSTOMERS), memory_bytes=st.integers(0, 12))
    def take_apart(self, customer: str | None, memory_bytes: int) -> Place:
        place = self.queue.take_apart(customer, memory_bytes)
        self.apart.append(place)
        self.check(self.queue.hand_out())
        return place

    @rule(place=consumes(asked))
    def leave(self, place: Place) -> None:
        self.leave_now(place)

    @rule(place=consumes(asked))
    def pass_on(self, place: Place) -> None:
        if place.is_given and not place.is_apart:
            following = self.queue.pass_on(place)
            if following is not None:
                assert following.customer == place.customer
                self.all.remove(place)
                self.check([following, *self.queue.hand_out()])
                return
        self.leave_now(place)

    def leave_now(self, place: Place) -> None:
        (self.apart if place.is_apart else self.all).remove(place)
        self.queue.leave(place)
        self.check(self.queue.hand_out())

    def check(self, handed_out: list[Place]) -> None:
        assert not self.queue.hand_out(), "nobody is left behind who could have had a place"
        for place in handed_out:
            assert place.is_given
            assert place in self.queue.given

    @invariant()
    def everybody_is_known_once(self) -> None:
        assert sorted(map(id, (*self.queue.waiting, *self.queue.given))) == sorted(map(id, self.all))
        assert all(place.is_given for place in self.queue.given)
        assert not any(place.is_given for place in self.queue.waiting)

    @invariant()
    def nothing_stands_idle_while_somebody_waits(self) -> None:
        assert self.queue.given or not self.queue.waiting

    @invariant()
    def no_customer_has_more_than_the_places_and_all_together_no_more_than_with_newcomers(self) -> None:
        having = Counter(place.customer for place in self.queue.given)
        assert sum(having.values()) <= 3
        assert max(having.values(), default=0) <= 2

    @invariant()
    def memory_holds_where_nothing_is_read_alone_or_apart(self) -> None:
        given = self.queue.given
        if len(given) > 1 and not self.apart and all(place.kept_room_since is None for place in given):
            assert sum(place.memory_bytes for place in given) <= MEMORY


TestPlaces = Places.TestCase
TestPlaces.settings = settings(max_examples=60, stateful_step_count=40)


@given(st.data())
@settings(max_examples=60)
def test_who_has_nothing_is_passed_by_nobody_twice(data: st.DataObject) -> None:
    """Whatever ends when, and however many documents others bring."""
    queue = PlaceQueue(places=data.draw(st.integers(1, 4)), newcomer_places=data.draw(st.integers(0, 1)))
    for customer in ("b", "c", "d"):
        ask(queue, customer, times=data.draw(st.integers(1, 30)))
    (mine,) = ask(queue, "a")
    passed: Counter[str | None] = Counter()
    for _ in range(100):
        if mine.is_given:
            break
        ended = data.draw(st.sampled_from(queue.given))
        ask(queue, ended.customer, times=data.draw(st.integers(0, 2)))
        passed.update(place.customer for place in leave(queue, ended) if place is not mine)
    assert mine.is_given
    assert max(passed.values(), default=0) <= 1


@given(st.data())
@settings(max_examples=60)
def test_a_big_document_whose_turn_it_is_begins_when_all_has_ended_that_was_there_before_it(
    data: st.DataObject,
) -> None:
    """Whatever small documents come, and in whatever order those that came later end."""
    queue = PlaceQueue(places=4, newcomer_places=1, memory_bytes=MEMORY)
    sizes = st.integers(1, 5)
    for customer in ("b", "c", "d"):
        for _ in range(data.draw(st.integers(1, 6))):
            ask(queue, customer, data.draw(sizes))
    (big,) = ask(queue, "a", data.draw(st.integers(6, 20)))
    while not big.is_given and queue.waiting[0] is not big:
        leave(queue, queue.given[0])
    before = list(queue.given)
    for _ in range(20):
        customer = data.draw(st.sampled_from(("b", "c", "d")))
        ask(queue, customer, data.draw(sizes))
        if later := [place for place in queue.given if place not in before and place is not big]:
            leave(queue, data.draw(st.sampled_from(later)))
    for place in before:
        if place is not big:
            leave(queue, place)
    # Those that came later fit beside it, so it waits for a place at most.
    if not big.is_given and queue.given:
        leave(queue, data.draw(st.sampled_from(queue.given)))
    assert big.is_given


@given(st.lists(st.tuples(st.sampled_from(CUSTOMERS), st.integers(0, 12)), max_size=60))
@settings(max_examples=60)
def test_everybody_is_served_in_the_end_and_nothing_is_remembered(asked: list[tuple[str | None, int]]) -> None:
    queue = PlaceQueue(places=2, newcomer_places=1, memory_bytes=MEMORY)
    places = [queue.ask(customer, memory_bytes) for customer, memory_bytes in asked]
    queue.hand_out()
    while queue.given:
        leave(queue, queue.given[0])
    assert all(place.is_given for place in places)
    assert not queue.waiting
    assert queue.remembered == 0
