"""The batch state machine as a model: how an item, a batch and a bill must end, stated a second time.

Shares nothing with `octavo.ledger.rules`: no counts are kept, everything is looked up in the items.
"""

from dataclasses import dataclass, field

CAP, LIVES = 8, 5
UNFINISHED = ("pending", "running")


@dataclass
class ModelItem:
    status: str = "pending"
    attempts: int = 0
    lease: int = 0
    lane: int | None = None
    lost: int = 0
    ended_under: int | None = None
    code: str | None = None
    pages: int = 0
    """As billed; an item that was billed has a result for good."""
    failed_pages: int = 0
    set_aside: int = 0


@dataclass
class ModelLane:
    batch: int
    worker: str
    ends: float
    run: str


@dataclass
class Model:
    """One customer's batches. Items are known by batch and position, lanes by the order they were opened in."""

    batches: list[list[ModelItem]] = field(default_factory=list)
    cancelled: set[int] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    lanes: list[ModelLane] = field(default_factory=list)
    quota: int | None = None

    def held(self, lane: int) -> list[ModelItem]:
        return [item for items in self.batches for item in items if item.lane == lane]

    @property
    def open_lanes(self) -> list[int]:
        return [lane for lane in range(len(self.lanes)) if self.held(lane)]

    def free(self, batch: int) -> list[int]:
        """Positions that may be claimed, in order."""
        if batch in self.cancelled:
            return []
        return [at for at, item in enumerate(self.batches[batch]) if item.status == "pending" and item.lane is None]

    def claim(self, batch: int, worker: str, run: str, lanes: int, ends: float, given: list[list[int]]) -> None:
        """Take in what a ledger has given, in order, under the cap, in as many lanes as there could be."""
        free, taken = self.free(batch), [at for some in given for at in some]
        assert taken == free[: len(taken)]
        assert len(given) == max(0, min(lanes, CAP - len(self.open_lanes), len(free)))
        for some in given:
            for at in some:
                item = self.batches[batch][at]
                item.lane, item.lease = len(self.lanes), item.lease + 1
            self.lanes.append(ModelLane(batch, worker, ends, run))

    def say(self, batch: int, at: int, lease: int, word: str, pages: int = 0) -> bool:
        """Take a worker's word about an item; whether it was taken."""
        item = self.batches[batch][at]
        if item.ended_under == lease:
            return word in ("begin", "finish", "holes", "fail")
        if item.lane is None or item.lease != lease:
            return False
        if word == "release":
            self.back(batch, item)
            return True
        if item.status == "pending" or word == "again":
            item.status, item.attempts = "running", item.attempts + 1
            self.begun.add(batch)
        if item.pages and word in ("finish", "holes", "fail"):
            item.status, item.lane, item.ended_under = "succeeded", None, lease
            item.failed_pages = 0 if word == "finish" else item.failed_pages
        elif word in ("finish", "holes", "fail"):
            is_paid = word != "fail" and self.affords(item, pages)
            item.failed_pages = 1 if is_paid and word == "holes" else 0
            item.status, item.lane, item.ended_under = ("succeeded" if is_paid else "failed"), None, lease
            item.pages, item.set_aside = (pages if is_paid else 0), 0
            item.code = None if is_paid else "payment_required" if word != "fail" else "extraction_failed"
        return True

    def reserve(self, batch: int, at: int, lease: int, pages: int) -> bool | None:
        """Set pages aside for an item; None when the lease is not the item's any more."""
        item = self.batches[batch][at]
        if item.lane is None or item.lease != lease:
            return None
        if not item.pages and not self.affords(item, pages):
            return False
        self.say(batch, at, lease, "begin")
        item.set_aside = 0 if self.quota is None or item.pages else pages
        return True

    def affords(self, item: ModelItem, pages: int) -> bool:
        """Whether an item may have so many pages: what it was promised, or what nobody else has."""
        if self.quota is None or pages <= item.set_aside:
            return True
        return self.billed + self.set_aside - item.set_aside + pages <= self.quota

    def back(self, batch: int, item: ModelItem, *, is_lost: bool = False) -> None:
        """Take an item from its lane: back to the queue, or to its end."""
        is_lost = is_lost and item.status == "running"
        item.lane, item.lost, item.set_aside = None, item.lost + is_lost, 0
        item.status = "cancelled" if batch in self.cancelled else "pending"
        if is_lost and item.lost >= LIVES and item.status == "pending":
            item.status, item.code = "failed", "internal_error"
        self.have_result_again(item)

    @staticmethod
    def have_result_again(item: ModelItem) -> None:
        """An end without a result is none for an item that has one."""
        if item.pages and item.status in ("failed", "cancelled"):
            item.status, item.code = "succeeded", None

    def lose(self, *, worker: str | None = None, run: str | None = None, now: float | None = None) -> None:
        """A worker or run has died, or time has passed: its lanes are taken away."""
        for number in self.open_lanes:
            lane = self.lanes[number]
            if lane.worker == worker or lane.run == run or (now is not None and lane.ends <= now):
                for item in self.held(number):
                    self.back(lane.batch, item, is_lost=True)

    def cancel(self, batch: int) -> None:
        if self.status(batch) in ("pending", "running", "cancelling"):
            self.cancelled.add(batch)
            for item in self.batches[batch]:
                if item.status == "pending":
                    item.status, item.lane = "cancelled", None
                    self.have_result_again(item)

    def retry(self, batch: int, *, failed_pages: bool) -> int | None:
        """Let what failed run again, pages too if that is asked; how much that is, None where it is refused."""
        if self.status(batch) == "cancelling":
            return None
        failed = [
            item
            for item in self.batches[batch]
            if item.status == "failed" or (failed_pages and item.status == "succeeded" and item.failed_pages)
        ]
        for item in failed:
            item.status, item.lost, item.ended_under, item.code = "pending", 0, None, None
        if failed:
            self.cancelled.discard(batch)
        return len(failed)

    def status(self, batch: int) -> str:
        found = {item.status for item in self.batches[batch]}
        if found & set(UNFINISHED):
            return "cancelling" if batch in self.cancelled else "running" if batch in self.begun else "pending"
        if "succeeded" in found:
            return "partially_failed" if "failed" in found else "completed"
        return "cancelled" if batch in self.cancelled else "failed"

    @property
    def billed(self) -> int:
        return sum(item.pages for items in self.batches for item in items)

    @property
    def set_aside(self) -> int:
        return sum(item.set_aside for items in self.batches for item in items)
