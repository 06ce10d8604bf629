"""Tables as text: Markdown grids, which know no spans, and HTML, which does."""

import re
from html import escape

from octavo.documents import Cell, Table

_BREAKS = re.compile(r"\s+")


def markdown_grid(table: Table) -> str:
    """Return a pipe table; a spanning cell stands at its first place, its other places stay empty."""
    rows = [[_pipe_text(cell) for cell in row] for row in table.grid()]
    head, *body = rows
    divider = ["---"] * table.n_cols
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, divider, *body))


def html_table(table: Table) -> str:
    """Return a `<table>` with `rowspan` and `colspan`, header cells as `<th>`."""
    rows = "\n".join(f"<tr>{''.join(_html_cell(cell) for cell in row if cell)}</tr>" for row in table.grid())
    return f"<table>\n{rows}\n</table>"


def _pipe_text(cell: Cell | None) -> str:
    if cell is None:
        return ""
    text = _BREAKS.sub(" ", cell.text).strip()
    return escape(text.replace("\\", "\\\\").replace("|", "\\|"), quote=False)


def _html_cell(cell: Cell) -> str:
    tag = "th" if cell.is_header else "td"
    spans = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
    spans += f' colspan="{cell.col_span}"' if cell.col_span > 1 else ""
    return f"<{tag}{spans}>{escape(_BREAKS.sub(' ', cell.text).strip())}</{tag}>"
