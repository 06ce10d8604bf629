"""Mail: its fields, then its body as HTML, so that one reader serves for both; the HTML part where there is one."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape

from octavo.engines.office.plain_text import Passage, passages
from octavo.errors import ExtractionFailed

_FIELDS = ("From", "To", "Cc", "Date")
_MAIL_ERRORS: tuple[type[Exception], ...] = (LookupError, ValueError, TypeError, AttributeError, RecursionError)
"""What damaged mail makes the `email` package raise, which by its own word raises nothing."""


def mail_as_html(data: bytes, full_line: int) -> bytes:
    """Return a mail as an HTML page, UTF-8; attachments are named, not read. Raises `ExtractionFailed`.

    Of plain text a line of `full_line` characters is full.
    """
    try:
        return _page(message_from_bytes(data, policy=policy.default), full_line).encode("utf-8", "replace")
    except _MAIL_ERRORS as error:
        raise ExtractionFailed("the mail is damaged") from error


def _page(message: EmailMessage, full_line: int) -> str:
    told = {name: text for name in ("Subject", *_FIELDS) if (text := _field(message, name))}
    head = [f"<p>{name}: {escape(told[name])}</p>" for name in _FIELDS if name in told]
    names = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    attached = [f"<p>Attachment: {escape(name)}</p>" for name in names]
    subject = f"<h1>{escape(told['Subject'])}</h1>" if "Subject" in told else ""
    return "".join([f"<html><body>{subject}", *head, _body(message, full_line), *attached, "</body></html>"])


def _field(message: EmailMessage, name: str) -> str:
    """Return a field; as it stands in the mail where it is not well-formed."""
    try:
        return str(message[name] or "")
    except _MAIL_ERRORS:
        return next((str(value) for found, value in message.raw_items() if found.lower() == name.lower()), "")


def _body(message: EmailMessage, full_line: int) -> str:
    part = message.get_body(preferencelist=("html", "plain"))
    if part is None:
        return ""
    try:
        text = str(part.get_content())
    except (LookupError, UnicodeError):  # a charset that nobody knows
        payload = part.get_payload(decode=True)
        text = payload.decode("latin-1") if isinstance(payload, bytes) else ""
    if part.get_content_subtype() == "html":
        return text
    return "".join(map(_as_html, passages(text, full_line)))


def _as_html(passage: Passage) -> str:
    words = escape(passage.text)
    if passage.role == "paragraph":
        return f"<p>{words}</p>"
    if not passage.is_numbered:
        return f"<ul><li>{words}</li></ul>"
    number, _, words = words.partition(" ")
    return f'<ol start="{number[:-1]}"><li>{words}</li></ol>'
