"""All thresholds of the page pipeline."""

from dataclasses import dataclass, field

from octavo.engines.office.thresholds import OfficeThresholds
from octavo.engines.pages.thresholds.figures import FigureThresholds
from octavo.engines.pages.thresholds.files import FileThresholds
from octavo.engines.pages.thresholds.order import OrderThresholds
from octavo.engines.pages.thresholds.roles import RoleThresholds
from octavo.engines.pages.thresholds.scanned import ScannedThresholds
from octavo.engines.pages.thresholds.tables import TableThresholds
from octavo.engines.pages.thresholds.text import TextThresholds


@dataclass(frozen=True, slots=True)
class PipelineThresholds:
    """What the stages of the pipeline go by."""

    text: TextThresholds = field(default_factory=TextThresholds)
    order: OrderThresholds = field(default_factory=OrderThresholds)
    tables: TableThresholds = field(default_factory=TableThresholds)
    figures: FigureThresholds = field(default_factory=FigureThresholds)
    roles: RoleThresholds = field(default_factory=RoleThresholds)
    scanned: ScannedThresholds = field(default_factory=ScannedThresholds)
    files: FileThresholds = field(default_factory=FileThresholds)
    office: OfficeThresholds = field(default_factory=OfficeThresholds)
