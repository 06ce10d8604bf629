"""Options of a batch: typed inside, plain JSON where they are stored and echoed."""

import pytest

from octavo.batch_options import BatchOptions, Dialect, ExtendOptions, ExtractPageOptions
from octavo.parse_options import PageRange, ParseOptions

PAGES = ParseOptions(engine="fast", engine_version="2", pages=(PageRange(1, 3),))


@pytest.mark.parametrize("shown", [ExtractPageOptions(extract_text=False, ocr="off"), ExtendOptions(config={"a": [1]})])
@pytest.mark.parametrize("parse", [ParseOptions(), PAGES])
def test_options_come_back_as_they_were_written(parse: ParseOptions, shown: ExtractPageOptions | ExtendOptions) -> None:
    options = BatchOptions(parse=parse, shown=shown)
    assert BatchOptions.of_json(options.to_json()) == options


def test_v1_echoes_the_five_options_it_always_had() -> None:
    options = BatchOptions(parse=ParseOptions(engine="fast", engine_version="2"))
    assert options.to_values() == {
        "extract_text": True,
        "extract_images": True,
        "ocr": "auto",
        "engine": "fast",
        "engine_version": "2",
    }


def test_what_is_missing_has_its_default() -> None:
    assert BatchOptions.of_json("{}") == BatchOptions()
    assert BatchOptions.of_json("{}").dialect is Dialect.EXTRACT_PAGE
    assert BatchOptions.of_json('{"dialect": "extend"}').shown == ExtendOptions()


@pytest.mark.parametrize(
    "text", ['{"parse": 7}', '{"dialect": "extend", "config": []}', '{"parse": {"colour": "blue"}}']
)
def test_what_is_no_options_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"option|JSON"):
        BatchOptions.of_json(text)
