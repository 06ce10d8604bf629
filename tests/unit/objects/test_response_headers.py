import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavo.objects.response_headers import content_disposition, response_parameters


@given(st.text())
def test_any_name_makes_one_plain_header_line(name: str) -> None:
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.startswith('attachment; filename="')
    assert header.count('"') == 2
    assert len(header) < 2000


@pytest.mark.parametrize("name", ["", "/", "a/", "\n", "  "])
def test_no_name_is_called_download(name: str) -> None:
    assert content_disposition(name).startswith('attachment; filename="download"')


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\secret\\passwd", "/passwd"])
def test_folders_are_left_out_of_the_name(name: str) -> None:
    assert content_disposition(name) == "attachment; filename=\"passwd\"; filename*=UTF-8''passwd"


def test_without_a_name_only_the_content_type_is_set() -> None:
    assert response_parameters("text/plain", None) == {"response-content-type": "text/plain"}


@pytest.mark.parametrize("content_type", ["", "text/plain\r\nSet-Cookie: a=b", "text\x00"])
def test_content_type_that_breaks_the_header_is_refused(content_type: str) -> None:
    with pytest.raises(ValueError, match="not a content type"):
        response_parameters(content_type, None)
