"""Mail: its fields, then its body as HTML, so that one reader serves for both; the HTML part where there is one."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape
from itertools import islice

from octavo.engines.contract import Limits
from octavo.engines.office.counting import refuse_characters
from octavo.engines.office.plain_text import Passage, passages
from octavo.engines.office.thresholds import OfficeThresholds
from octavo.errors import ExtractionFailed

_BOUNDARY = re.compile(rb"boundary\s*=\s*\"?([^\"\s;]{1,100})", re.IGNORECASE)
_FIELDS = ("From", "To", "Cc", "Date")
_MAIL_ERRORS: tuple[type[Exception], ...] = (LookupError, ValueError, TypeError, AttributeError, RecursionError)
"""What damaged mail makes the `email` package raise, which by its own word raises nothing."""


def mail_as_html(data: bytes, limits: Limits, thresholds: OfficeThresholds) -> bytes:
    """Return a mail as an HTML page, UTF-8; attachments are named, not read.

    Raises `ExtractionFailed`, `PageLimitExceeded`.
    """
    _check_parts(data, thresholds.max_mail_parts, thresholds.max_mail_boundaries)
    try:
        message = message_from_bytes(data, policy=policy.default)
        return _page(message, limits, thresholds).encode("utf-8", "replace")
    except _MAIL_ERRORS as error:
        raise ExtractionFailed("the mail is damaged") from error


def _check_parts(data: bytes, most: int, most_boundaries: int) -> None:
    """Refuse a mail of too many parts, before they are made."""
    if data.count(b"\n--") <= most:
        return
    boundaries = {found[1] for found in islice(_BOUNDARY.finditer(data), most_boundaries + 1)}
    if len(boundaries) > most_boundaries or sum(data.count(b"\n--" + mark) for mark in boundaries) > most:
        raise ExtractionFailed(f"the mail has more than {most} parts")


def _page(message: EmailMessage, limits: Limits, thresholds: OfficeThresholds) -> str:
    most = thresholds.max_field_characters
    told = {name: text for name in ("Subject", *_FIELDS) if (text := _field(message, name, most))}
    head = [f"<p>{name}: {escape(told[name])}</p>" for name in _FIELDS if name in told]
    names = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    attached = [f"<p>Attachment: {escape(name)}</p>" for name in names]
    subject = f"<h1>{escape(told['Subject'])}</h1>" if "Subject" in told else ""
    return "".join([f"<html><body>{subject}", *head, _body(message, limits, thresholds), *attached, "</body></html>"])


def _field(message: EmailMessage, name: str, most: int) -> str:
    """Return a field; as it stands in the mail where it is not well-formed or too long to be taken apart."""
    stated = next((str(value) for found, value in message.raw_items() if found.lower() == name.lower()), "")
    if len(stated) > most:
        return " ".join(stated.split())
    try:
        return str(message[name] or "")
    except _MAIL_ERRORS:
        return stated


def _body(message: EmailMessage, limits: Limits, thresholds: OfficeThresholds) -> str:
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
    refuse_characters("text", text.encode("utf-8", "replace"), limits, thresholds)
    return "".join(map(_as_html, passages(text, thresholds.full_line_characters)))


def _as_html(passage: Passage) -> str:
    words = escape(passage.text)
    if passage.role == "paragraph":
        return f"<p>{words}</p>"
    if not passage.is_numbered:
        return f"<ul><li>{words}</li></ul>"
    number, _, words = words.partition(" ")
    return f'<ol start="{number[:-1]}"><li>{words}</li></ol>'
