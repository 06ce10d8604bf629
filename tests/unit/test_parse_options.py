import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavo.parse_options import PageRange, ParseOptions

ranges = st.tuples(st.integers(1, 30), st.integers(0, 5)).map(lambda pair: PageRange(pair[0], sum(pair)))
some_options = st.builds(
    ParseOptions,
    engine=st.none() | st.text(max_size=4),
    engine_version=st.none() | st.text(max_size=4),
    declared_type=st.none() | st.text(max_size=4),
    pages=st.lists(ranges, max_size=4).map(tuple),
    has_password=st.booleans(),
)


def numbers(options: ParseOptions) -> set[int]:
    return {number for one in options.pages for number in range(one.first, one.last + 1)}


def test_no_options_are_an_empty_object() -> None:
    assert ParseOptions().to_json() == "{}"
    assert ParseOptions.of_json("{}") == ParseOptions()


def test_the_canonical_form_has_not_changed() -> None:
    options = ParseOptions(declared_type="csv", pages=(PageRange(4, 9), PageRange(1, 2)), has_password=True)
    assert options.chosen("fast", "3-1").to_json() == (
        '{"declared":"csv","engine":"fast","engine_version":"3-1","pages":[[1,2],[4,9]],"password":true}'
    )


@given(some_options)
def test_options_come_back_from_their_json(options: ParseOptions) -> None:
    assert ParseOptions.of_json(options.to_json()) == options


@given(some_options, some_options)
def test_json_is_equal_exactly_when_the_options_are(one: ParseOptions, other: ParseOptions) -> None:
    assert (one.to_json() == other.to_json()) is (one == other)


@given(st.lists(ranges, max_size=5))
def test_ranges_that_name_the_same_pages_are_equal(pages: list[PageRange]) -> None:
    options = ParseOptions(pages=tuple(pages))
    assert numbers(options) == {number for one in pages for number in range(one.first, one.last + 1)}
    assert options == ParseOptions(pages=tuple(PageRange(number, number) for number in numbers(options)))


@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 2), (-1, -1)])
def test_what_is_no_range_of_pages_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="not a range"):
        PageRange(first, last)


@pytest.mark.parametrize(
    "stored",
    ['{"odd": 1}', "[]", '{"engine": 1}', '{"pages": 3}', '{"pages": [[1]]}', '{"pages": [[2, 1]]}', '{"password": 1}'],
)
def test_what_are_no_options_is_refused(stored: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ParseOptions.of_json(stored)
