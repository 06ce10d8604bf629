"""Claims in DuckDB: those that wait are kept here, and served at the end of every commit that may have made room."""

from collections.abc import Sequence

from octavo.ledger import rules
from octavo.ledger.duckdb.run_rows import store_runs
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.scheduling import Answer, ClaimRound, Turns, WaitingClaim, end_waits


class Claims:
    """The claims before one ledger; lives on the writer's thread.

    What a commit adds counts only once the commit has succeeded: `begin`, then `serve`, then `keep`.
    """

    def __init__(self) -> None:
        self._turns = Turns()
        self._waiting: list[WaitingClaim] = []
        self._arrived: list[WaitingClaim] = []

    def begin(self) -> None:
        """Forget what a commit that failed has added."""
        self._arrived = []

    def take(self, tx: Transaction, asked: Sequence[WaitingClaim]) -> list[None]:
        """Take claims that have come with this commit."""
        requests = [one.request for one in asked]
        batches = tx.working.load_batches(tx, [request.batch_id for request in requests])
        runs = tx.working.load_runs(tx, [request.run_id for request in requests])
        active = [
            rules.claimed_by(runs[request.run_id], request.worker_id, tx.now)
            for request in requests
            if request.run_id in runs and request.batch_id in batches and not rules.is_over(runs[request.run_id])
        ]
        store_runs(tx, [run for run in active if run.run_id is not None and run is not runs[run.run_id]])
        for one in asked:
            end_waits([*self._waiting, *self._arrived], run_id=one.request.run_id)
            self._arrived.append(one)
        tx.has_news = True
        return [None] * len(asked)

    def serve(self, tx: Transaction) -> list[tuple[WaitingClaim, Answer]]:
        """Hand out what is free; returns what to notify whom once the commit has succeeded."""
        waiting = [*self._waiting, *self._arrived]
        for run_id, worker_id in tx.ended_waits:
            end_waits(waiting, run_id=run_id, worker_id=worker_id)
        if not waiting or not tx.has_claims_to_serve():
            return []
        batches = tx.working.load_batches(tx, {one.request.batch_id for one in waiting})
        claim_round = ClaimRound(
            tx.work,
            caps=tx.working.caps(tx, {batch.customer_id for batch in batches.values()}),
            runs=tx.working.load_runs(tx, {one.request.run_id for one in waiting}),
            # Those that this commit has closed are among them until it is stored.
            slices=[row for row in tx.work.slices.values() if row.open_items],
            free=tx.take_free,
            claimed=tx.working.claimed,
            turns=self._turns,
            now=tx.now,
        )
        return claim_round.serve(waiting)

    def keep(self, answers: Sequence[tuple[WaitingClaim, Answer]]) -> None:
        """Let the commit count, and tell those who are answered."""
        answered = {one for one, _ in answers}
        self._waiting = [one for one in [*self._waiting, *self._arrived] if one not in answered]
        self._arrived = []
        for one, answer in answers:
            one.on_claim(answer)

    def close(self, answer: Answer) -> None:
        """Tell all that wait the same."""
        self.keep([(one, answer) for one in self._waiting])
