"""Mail: its fields, then its body as HTML, so that one reader serves for both; the HTML part where there is one."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape

_FIELDS = ("From", "To", "Cc", "Date")


def mail_as_html(data: bytes) -> bytes:
    """Return a mail as an HTML page, UTF-8; attachments are named, not read."""
    message = message_from_bytes(data, policy=policy.default)
    head = [f"<p>{name}: {escape(str(message[name]))}</p>" for name in _FIELDS if message[name]]
    names = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    attached = [f"<p>Attachment: {escape(name)}</p>" for name in names]
    subject = f"<h1>{escape(str(message['Subject']))}</h1>" if message["Subject"] else ""
    return "".join([f"<html><body>{subject}", *head, _body(message), *attached, "</body></html>"]).encode()


def _body(message: EmailMessage) -> str:
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
    return "".join(f"<p>{escape(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph.strip())
