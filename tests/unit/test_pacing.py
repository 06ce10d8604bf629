"""How slices grow with the measured times."""

from octavo.pacing import MOST_ITEMS, TIMED_ITEMS, Pace


def paced(seconds: float, times: int = TIMED_ITEMS) -> Pace:
    pace = Pace()
    for _ in range(times):
        pace.add(seconds)
    return pace


def test_slices_are_single_items_until_a_few_were_timed() -> None:
    assert paced(0.001, TIMED_ITEMS - 1).slice_items == 1
    assert paced(0.001, TIMED_ITEMS - 1).median_seconds is None


def test_a_slice_is_a_second_of_work() -> None:
    assert paced(0.05).slice_items == 20
    assert paced(0.12).slice_items == 8


def test_what_takes_a_hair_more_than_half_a_second_still_goes_in_pairs() -> None:
    assert paced(0.5008).slice_items == 2


def test_longer_items_are_slices_of_one() -> None:
    assert paced(0.7).slice_items == 1
    assert paced(5.0).slice_items == 1


def test_slices_have_a_largest_size() -> None:
    assert paced(0.0).slice_items == MOST_ITEMS
    assert paced(0.000001).slice_items == MOST_ITEMS


def test_only_short_items_share_their_words() -> None:
    assert paced(0.05).is_short
    assert not paced(0.2).is_short
    assert not Pace().is_short


def test_the_pace_follows_the_last_items() -> None:
    pace = paced(0.01, 50)
    for _ in range(50):
        pace.add(2.0)
    assert pace.slice_items == 1
