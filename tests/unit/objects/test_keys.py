from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavo.identifiers import (
    BatchId,
    CustomerId,
    FileId,
    ResultId,
    new_batch_id,
    new_customer_id,
    new_file_id,
)
from octavo.objects import keys
from octavo.parse_options import PageRange, ParseOptions

SHA256 = "0123456789abcdef" * 4
IDENTIFIER = "[a-z0-9][a-z0-9_-]{0,30}"

# Few names, so that examples often share a customer, a result or a batch.
names = st.one_of(
    st.sampled_from(["a", "a-b", "a_b", "images", "manifest", "outcomes"]),
    st.from_regex(IDENTIFIER, fullmatch=True),
)
days = st.dates(min_value=date(2026, 1, 1), max_value=date(2099, 12, 31))

inputs = st.tuples(st.just("input"), names, days, names)
documents = st.tuples(st.just("document.json"), names, names)
pages = st.tuples(st.just("extract-page.json"), names, names)
images = st.tuples(st.just("image"), names, names, st.integers(min_value=0, max_value=10_000))
manifests = st.tuples(st.just("manifest"), names)
numbers = st.integers(min_value=0, max_value=10**12 - 1)
outcomes = st.tuples(st.just("outcomes"), names)
pieces = st.tuples(st.just("piece"), names, numbers)
accounts = st.tuples(st.just("accounts"), numbers)
staged = st.tuples(st.just("files"), days, st.integers(min_value=0, max_value=9999), numbers)
single = st.tuples(st.sampled_from([keys.ARCHIVE_IDENTITY, keys.OPEN_RUNS]))
shown = st.tuples(
    st.just("shown"),
    names,
    names,
    st.sampled_from(["extract-page", "extend"]),
    st.sampled_from([(("extract_text", False),), (("target", "spatial"),), (("extract_text", False), ("target", 1))]),
)
drawn = st.tuples(st.just("drawn"), names, names, st.integers(1, 1000), st.sampled_from([200, 400, 2400]))
objects = st.one_of(
    inputs, documents, pages, images, shown, drawn, manifests, outcomes, pieces, accounts, staged, single
)


def _key(named: tuple[object, ...]) -> str:
    match named:
        case ("input", str(customer), date() as day, str(file)):
            return keys.input_key(CustomerId(customer), day, FileId(file))
        case ("document.json", str(customer), str(result)):
            return keys.result_key(CustomerId(customer), ResultId(result), "document.json")
        case ("extract-page.json", str(customer), str(result)):
            return keys.result_key(CustomerId(customer), ResultId(result), "extract-page.json")
        case ("image", str(customer), str(result), int(number)):
            return keys.result_image_key(CustomerId(customer), ResultId(result), number)
        case ("shown", str(customer), str(result), str(name), tuple(options)):
            return keys.rendering_key(CustomerId(customer), ResultId(result), name, dict(options))
        case ("drawn", str(customer), str(result), int(number), int(width)):
            return keys.drawn_page_key(CustomerId(customer), ResultId(result), number, width)
        case _:
            return _archive_key(named)


def _archive_key(named: tuple[object, ...]) -> str:
    match named:
        case ("manifest", str(batch)):
            return keys.manifest_key(BatchId(batch))
        case ("outcomes", str(batch)):
            return keys.outcomes_key(BatchId(batch))
        case ("piece", str(batch), int(number)):
            return keys.outcomes_piece_key(BatchId(batch), number)
        case ("accounts", int(number)):
            return keys.accounts_key(number)
        case ("files", date() as day, int(generation), int(number)):
            return keys.staged_files_key(day, generation, number)
        case (str(single),):
            return single
        case _:
            raise AssertionError(named)


@given(st.sets(objects, min_size=2, max_size=30))
def test_different_objects_have_different_keys_and_none_is_anothers_directory(
    named: set[tuple[object, ...]],
) -> None:
    spelled = {_key(name) for name in named}
    assert len(spelled) == len(named)
    assert len({key.lower() for key in spelled}) == len(named)
    folders = {key[:end] for key in spelled for end in range(len(key)) if key[end] == "/"}
    assert not spelled & folders


@given(objects)
def test_no_key_climbs_or_has_an_empty_or_hidden_part(named: tuple[object, ...]) -> None:
    parts = _key(named).split("/")
    assert all(parts)
    assert not any(part.startswith(".") for part in parts)


@given(st.text().filter(lambda text: not (text.isascii() and text.replace("_", "").replace("-", "").isalnum())))
def test_odd_identifiers_are_refused(odd: str) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        keys.input_key(CustomerId(odd), date(2026, 11, 23), new_file_id())
    with pytest.raises(ValueError, match="not an identifier"):
        keys.input_key(new_customer_id(), date(2026, 11, 23), FileId(odd))
    with pytest.raises(ValueError, match="not an identifier"):
        keys.result_key(new_customer_id(), ResultId(odd), "document.json")
    with pytest.raises(ValueError, match="not an identifier"):
        keys.outcomes_key(BatchId(odd))
    with pytest.raises(ValueError, match="not an identifier"):
        keys.manifest_key(BatchId(odd))


@pytest.mark.parametrize("odd", ["", "..", ".", "a/b", "a\n", "a.b", "-a", "_a", "A", "é", "a%2f", "a" * 101])
def test_named_odd_identifiers_are_refused(odd: str) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        keys.result_prefix(CustomerId(odd), ResultId("res_a"))


def test_own_identifiers_make_the_documented_keys() -> None:
    customer, file, batch = new_customer_id(), new_file_id(), new_batch_id()
    result = keys.result_id(customer, SHA256, PDF)
    assert keys.input_key(customer, date(2026, 1, 2), file) == f"in/{customer}/2026-01-02/{file}"
    assert keys.result_key(customer, result, "document.json") == f"results/{customer}/{result}/document.json"
    assert keys.result_key(customer, result, "extract-page.json") == (f"results/{customer}/{result}/extract-page.json")
    assert keys.rendering_key(customer, result, "extract-page", {}) == keys.result_key(
        customer, result, "extract-page.json"
    )
    assert keys.result_image_key(customer, result, 7) == f"results/{customer}/{result}/images/7"
    assert keys.drawn_page_key(customer, result, 7, 800) == f"results/{customer}/{result}/pages/7-800.png"
    assert keys.manifest_key(batch) == f"ledger/batches/{batch}/manifest.json"
    assert keys.outcomes_key(batch) == f"ledger/batches/{batch}/outcomes.jsonl"
    assert keys.outcomes_piece_key(batch, 1_700_000_000_000_000) == (
        f"ledger/batches/{batch}/outcomes/001700000000000000.jsonl"
    )
    assert keys.accounts_key(7) == "ledger/accounts/000000000000000007.json"
    assert keys.staged_files_key(date(2026, 1, 2), 3, 4) == "ledger/files/2026-01-02/0003-000000000004.jsonl"


def test_prefixes_hold_their_objects() -> None:
    customer, batch = new_customer_id(), new_batch_id()
    result = ResultId("res_a")
    assert keys.result_image_key(customer, result, 0).startswith(keys.result_prefix(customer, result))
    assert keys.drawn_page_key(customer, result, 1, 200).startswith(keys.result_prefix(customer, result))
    assert keys.outcomes_piece_key(batch, 1).startswith(keys.outcomes_prefix(batch))
    assert keys.outcomes_prefix(batch).startswith(keys.batch_prefix(batch))
    assert keys.outcomes_key(batch).startswith(keys.batch_prefix(batch))
    assert keys.manifest_key(batch).startswith(keys.batch_prefix(batch))


def test_the_archive_can_be_found_by_its_keys() -> None:
    batch, day = new_batch_id(), date(2026, 1, 2)
    assert keys.batch_of(keys.outcomes_piece_key(batch, 1)) == keys.batch_of(keys.manifest_key(batch)) == batch
    assert keys.staged_files_day(keys.staged_files_key(day, 0, 9)) == day
    with pytest.raises(ValueError, match="not below a batch"):
        keys.batch_of(keys.accounts_key(1))
    with pytest.raises(ValueError, match="isoformat"):
        keys.staged_files_day("ledger/files/other")


@given(numbers, numbers)
def test_numbered_keys_sort_by_their_number(one: int, other: int) -> None:
    batch = BatchId("batch_a")
    assert (keys.accounts_key(one) < keys.accounts_key(other)) is (one < other)
    assert (keys.outcomes_piece_key(batch, one) < keys.outcomes_piece_key(batch, other)) is (one < other)


@pytest.mark.parametrize("number", [-1, 10**18])
def test_numbers_that_do_not_fit_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="digits at most"):
        keys.accounts_key(number)


def test_image_before_the_first_and_unknown_part_are_refused() -> None:
    with pytest.raises(ValueError, match="counted from 0"):
        keys.result_image_key(CustomerId("cust_a"), ResultId("res_a"), -1)
    with pytest.raises(ValueError, match="no part"):
        keys.result_key(CustomerId("cust_a"), ResultId("res_a"), "images")  # type: ignore[arg-type] # on purpose


def test_a_drawn_page_before_the_first_or_without_width_is_refused() -> None:
    for number, width in ((0, 200), (-1, 200), (1, 0)):
        with pytest.raises(ValueError, match="pixels wide"):
            keys.drawn_page_key(CustomerId("cust_a"), ResultId("res_a"), number, width)


def test_a_rendering_that_is_none_is_refused() -> None:
    customer, result = CustomerId("cust_a"), ResultId("res_a")
    with pytest.raises(ValueError, match="name of the document"):
        keys.rendering_key(customer, result, "document", {})
    with pytest.raises(ValueError, match="not an identifier"):
        keys.rendering_key(customer, result, "a/b", {})
    with pytest.raises(ValueError, match="JSON"):
        keys.rendering_key(customer, result, "extract-page", {"odd": {1, 2}})


def test_recipe_of_the_renderings_key_has_not_changed() -> None:
    key = keys.rendering_key(CustomerId("cust_a"), ResultId("res_a"), "extract-page", {"extract_images": False})
    assert key == "results/cust_a/res_a/extract-page-b35572a7e9c3433e.json"


def test_renderings_count_as_one_part_of_a_result_and_what_lies_beside_it_as_none() -> None:
    customer, result = CustomerId("pages"), ResultId("kept")
    document = keys.result_key(customer, result, "document.json")
    shown = [keys.rendering_key(customer, result, "extract-page", options) for options in ({}, {"extract_text": False})]
    images = [keys.result_image_key(customer, result, number) for number in (0, 1)]
    beside = [keys.drawn_page_key(customer, result, 1, 200), keys.kept_pages_key(customer, result, "piece")]
    assert keys.count_result_parts([document, *shown, *images, *beside]) == 4
    assert keys.count_result_parts(images) == 2
    assert keys.count_result_parts(beside) == 0
    assert keys.rendering_keys([document, *shown, *images, *beside]) == shown
    assert keys.has_document([*shown, document])
    assert not keys.has_document([*shown, *images, *beside])


PDF = ParseOptions(engine="pdf", engine_version="1.0")
words = st.text(st.characters(codec="utf-8"), max_size=3)
parse_options = st.builds(
    ParseOptions,
    engine=words,
    engine_version=words,
    declared_type=st.none() | words,
    pages=st.lists(st.integers(1, 3).map(lambda number: PageRange(number, number))).map(tuple),
    has_password=st.booleans(),
)


@given(st.tuples(names, parse_options), st.tuples(names, parse_options))
def test_result_ids_are_equal_exactly_when_the_work_is(
    one: tuple[str, ParseOptions], other: tuple[str, ParseOptions]
) -> None:
    def made(work: tuple[str, ParseOptions]) -> ResultId:
        return keys.result_id(CustomerId(work[0]), SHA256, work[1])

    assert (made(one) == made(other)) is (one == other)


@pytest.mark.parametrize(
    ("declared", "result"),
    [
        (None, "res_9dbd5f592b926abdafc637111b55d9527377f5f8"),
        ("csv", "res_017b7c01c3219e5619f8c9b6bb09f3c6d571e801"),
    ],
)
def test_a_result_keeps_the_id_that_earlier_versions_gave_a_whole_reading(declared: str | None, result: str) -> None:
    options = ParseOptions(engine="fast", engine_version="3-1", declared_type=declared)
    assert keys.result_id(CustomerId("cust_a"), "ab" * 32, options) == result


def test_other_bytes_make_another_result_id() -> None:
    customer = CustomerId("cust_a")
    assert keys.result_id(customer, SHA256, PDF) != keys.result_id(customer, SHA256[::-1], PDF)


@pytest.mark.parametrize("digest", ["", "abc", SHA256.upper(), SHA256 + "0"])
def test_digest_of_another_kind_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="hex digits"):
        keys.result_id(CustomerId("cust_a"), digest, PDF)


@pytest.mark.parametrize("options", [ParseOptions(), ParseOptions(engine="pdf"), ParseOptions(engine_version="1")])
def test_what_no_engine_has_read_has_no_result(options: ParseOptions) -> None:
    with pytest.raises(ValueError, match="engine"):
        keys.result_id(CustomerId("cust_a"), SHA256, options)


def test_an_input_and_a_result_are_found_again_by_their_keys() -> None:
    customer, file, result = new_customer_id(), new_file_id(), ResultId("res_" + "0" * 40)
    assert keys.file_of(keys.input_key(customer, date(2026, 11, 25), file)) == file
    assert keys.result_of(keys.result_key(customer, result, "document.json")) == (customer, result)
    assert keys.result_of(keys.result_image_key(customer, result, 3)) == (customer, result)
    assert keys.result_of(keys.drawn_page_key(customer, result, 3, 200)) == (customer, result)


@pytest.mark.parametrize(
    "key",
    [keys.ROOM_PROBE, "in/a", "in/a/b", "in/a/2026-11-25/b/c", "in/a/2026-11-25/", "in/a/25.11.2026/b", "results/a/b"],
)
def test_what_is_no_input_and_no_result_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"not|Invalid|isoformat"):
        keys.file_of(key)
    with pytest.raises(ValueError, match=r"not|Invalid|isoformat"):
        keys.result_of(key)
