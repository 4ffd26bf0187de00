"""The queue against a model: whatever order things come in, it holds what the model says, and the counters count it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lib.contract.queue import ItemAction, ItemSelection
from lib.contract.states import Desired, FailureCause, ImportMode, WorkerRole
from lib.service.sheets.cells import hash_content, hash_record
from lib.service.storage import changes, items, plans, schema, selections, workers
from lib.service.storage.counters import get_counters, next_revision
from lib.service.storage.database import Database

FINGERPRINT = "f" * 16
KEYS, TEXTS = st.sampled_from("abcdefgh"), st.sampled_from(["one", "two", "three"])
MAX_ATTEMPTS = 3


@dataclass
class Item:
    """What the model knows of one item."""

    due_at: float
    state: str = "pending"
    attempts: int = 0
    lease: str | None = None
    priority: int = 0
    available_at: float = 0.0

    def wait(self, at: float, priority: int | None = None) -> None:
        """It can be claimed from ``at`` on; its turn is an hour earlier for each priority."""
        self.state, self.lease = "pending", None
        self.priority = self.priority if priority is None else priority
        self.available_at, self.due_at = at, at - items.PRIORITY_SECONDS * self.priority


@dataclass
class Entry:
    """What the model knows of one entry."""

    text: str
    embedded_as: str | None = None
    item: Item | None = None


class QueueMachine(RuleBasedStateMachine):
    """Imports, claims, results, lapses, failures, pauses, retries, discards, priorities and removals, in any order."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.database = self.open_database()
        self.model: dict[str, Entry] = {}
        self.known_vectors: set[str] = set()
        self.leases: dict[str, list[items.ClaimedItem]] = {}
        self.now = 1_000_000.0
        self.desired = Desired.RUNNING
        self._register()

    def open_database(self) -> Database:
        """An empty one."""
        self.folder = Path(tempfile.mkdtemp())
        shutil.copyfile(self.template, self.folder / "db.sqlite")
        return Database(f"sqlite:///{self.folder / 'db.sqlite'}")

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    # What happens

    @rule(rows=st.dictionaries(KEYS, TEXTS, min_size=1, max_size=4), removed=st.sets(KEYS, max_size=2))
    def import_rows(self, rows: dict[str, str], removed: set[str]) -> None:
        removed = {key for key in removed - set(rows) if key in self.model}
        changed = {key: text for key, text in rows.items() if key not in self.model or self.model[key].text != text}
        if changed or removed:
            self._apply(changed, removed)
        for key in removed:
            del self.model[key]
        for key, text in changed.items():
            entry = self.model.setdefault(key, Entry(text))
            entry.text = text
            if text in self.known_vectors:
                entry.embedded_as, entry.item = text, None
            else:
                entry.item = None if entry.embedded_as == text else Item(due_at=self.now, available_at=self.now)

    def _apply(self, rows: dict[str, str], removed: set[str]) -> None:
        plan_id, job_id, now = uuid4().hex, uuid4().hex, datetime.fromtimestamp(self.now, UTC)
        with self.database.write() as connection:
            ids = {row.key: row.entry_id for row in connection.execute(sa.select(schema.entries.c.key, schema.entries.c.entry_id))}
            about: dict[str, Any] = {"source": {}, "source_name": "", "mapping": {}, "mode": ImportMode.MIRROR, "requested_by": "ann"}
            plans.insert_plan(connection, plan_id=plan_id, job_id=job_id, created_at=now, expires_at=now, **about)
            lines = [(key, "changed" if key in ids else "new", text) for key, text in rows.items()]
            lines += [(key, "removed", "") for key in sorted(removed)]
            numbered = enumerate(lines, start=1)
            plans.add_plan_rows(connection, [self._plan_row(plan_id, number, *line, ids.get(line[0])) for number, line in numbered])
            changes.apply_plan(connection, plan_id=plan_id, job_id=job_id, with_removals=True, fingerprint=FINGERPRINT, now=now)

    @staticmethod
    def _plan_row(plan_id: str, position: int, key: str, change: str, text: str, entry_id: int | None) -> tuple[Any, ...]:
        hashes = (hash_content(text), hash_record(key, {"text": text}, {}))
        return (plan_id, position, position, change, key, text, '{"text": null}', "{}", *hashes, entry_id, None, None)

    def _register(self) -> None:
        with self.database.write() as connection:
            now = datetime.fromtimestamp(self.now, UTC)
            life: dict[str, Any] = {"incarnation": "i", "role": WorkerRole.EMBEDDING, "host": "here", "pid": 1}
            workers.register_worker(connection, worker_id="worker", now=now, **life)

    @rule(desired=st.sampled_from(list(Desired)))
    def wish(self, desired: Desired) -> None:
        """Pause, drain or resume: what the worker hears before it claims."""
        self.desired = desired
        with self.database.write() as connection:
            workers.set_desired(connection, "worker", desired=desired, by="ann", reason="", now=datetime.fromtimestamp(self.now, UTC))

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        with self.database.read() as connection:
            heard = workers.get_desired(connection, worker_id="worker", incarnation="i")
        assert heard is self.desired, "claims, results and failures leave people's wish alone"
        if heard is not Desired.RUNNING:
            return
        lease_id = uuid4().hex
        with self.database.write() as connection:
            about = {"worker_id": "worker", "fingerprint": FINGERPRINT}
            claimed = items.claim_items(connection, lease_id=lease_id, limit=limit, now=self.now, lease_seconds=10, **about)
            ids = {row.key: row.entry_id for row in connection.execute(sa.select(schema.entries.c.key, schema.entries.c.entry_id))}
        can = [(each, key) for key, entry in self.model.items() if (each := entry.item) and each.state == "pending"]
        can = [(item, key) for item, key in can if item.available_at <= self.now]
        waiting = [key for item, key in sorted(can, key=lambda each: (each[0].due_at, ids[each[1]]))]
        assert sorted(item.text for item in claimed) == sorted(self.model[key].text for key in waiting[:limit])
        assert {item.entry_id for item in claimed} == {ids[key] for key in waiting[:limit]}
        assert [item.cached for item in claimed] == [item.text in self.known_vectors for item in claimed]
        for key in waiting[:limit]:
            item = self.model[key].item
            assert item is not None
            item.state, item.lease, item.attempts = "leased", lease_id, item.attempts + 1
        if claimed:
            self.leases[lease_id] = claimed

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """Also of leases that are long gone: a late result."""
        lease_id = data.draw(st.sampled_from(sorted(self.leases)))
        claimed = self.leases.pop(lease_id)
        held = self._held(lease_id)
        with self.database.write() as connection:
            items.store_vectors(connection, FINGERPRINT, [(item.content_hash, b"vector") for item in claimed])
            settled = items.settle_items(
                connection,
                lease_id=lease_id,
                hashes={item.entry_id: item.content_hash for item in claimed},
                fingerprint=FINGERPRINT,
                revision=next_revision(connection),
                now=self.now,
            )
        assert settled == len(held)
        self.known_vectors |= {item.text for item in claimed}
        for entry in held:
            entry.embedded_as, entry.item = entry.text, None

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), final=st.booleans(), patience=st.sampled_from([0.0, 5.0]))
    def give_up(self, data: st.DataObject, final: bool, patience: float) -> None:
        """The worker fails the first item of a lease, or puts it back for another try."""
        lease_id = data.draw(st.sampled_from(sorted(self.leases)))
        first = self.leases[lease_id][0]
        key = self._key_of(first.entry_id)
        item = self.model[key].item if key in self.model else None
        still_held = item is not None and item.lease == lease_id
        told = (first.entry_id, FailureCause.QUOTA, "slow down")
        with self.database.write() as connection:
            if final:
                moved = items.fail_items(connection, lease_id=lease_id, failed=[told], now=self.now)
            else:
                moved = items.return_items(connection, lease_id=lease_id, returned=[(*told, self.now + patience)], now=self.now)
        assert moved == still_held
        if item is not None and still_held:
            item.wait(self.now + patience)
            item.state = "failed" if final else "pending"

    @rule(seconds=st.sampled_from([1.0, 20.0]))
    def time_passes_and_leases_lapse(self, seconds: float) -> None:
        lapses = seconds > 10
        self.now += seconds
        with self.database.write() as connection:
            if not lapses:
                for lease_id in self.leases:
                    items.renew_lease(connection, lease_id=lease_id, expires_at=self.now + 10)
            returned, failed = items.release_lapsed(connection, now=self.now, max_attempts=MAX_ATTEMPTS)
        leased = [entry.item for entry in self.model.values() if entry.item and entry.item.lease] if lapses else []
        lost = [item for item in leased if item.attempts >= MAX_ATTEMPTS]
        assert (returned, failed) == (len(leased) - len(lost), len(lost))
        for item in leased:
            item.state, item.lease = ("failed" if item.attempts >= MAX_ATTEMPTS else "pending"), None

    def _act(self, action: ItemAction, selection: ItemSelection) -> int:
        with self.database.write() as connection:
            taken = selections.take_chunk(connection, action, selection, now=self.now, upto=self.now, after=None, limit=100)
            if taken:
                selections.move_items(connection, action, taken, now=self.now, actor="ann")
        return len(taken)

    def _in(self, *states: str) -> list[Item]:
        return [entry.item for entry in self.model.values() if entry.item and entry.item.state in states]

    @rule(all_of_them=st.booleans())
    def retry(self, all_of_them: bool) -> None:
        """All failures, or every entry by its id: then the discarded ones too."""
        with self.database.read() as connection:
            ids = None if all_of_them else list(connection.execute(sa.select(schema.entries.c.entry_id)).scalars())
        waiting = self._in("failed") if all_of_them else self._in("failed", "discarded")
        assert self._act(ItemAction.RETRY, ItemSelection(entry_ids=ids)) == len(waiting)
        for item in waiting:
            item.wait(self.now, priority=0)
            item.attempts = 0

    @rule()
    def discard(self) -> None:
        failed = self._in("failed")
        assert self._act(ItemAction.DISCARD, ItemSelection()) == len(failed)
        for item in failed:
            item.state, item.attempts = "discarded", 0

    @rule(first=st.booleans())
    def prioritise(self, first: bool) -> None:
        """Put all that wait first, or back in line; those it is so of already are left alone."""
        waiting = [item for item in self._in("pending") if (item.priority == 0) is first]
        assert self._act(ItemAction.PUT_FIRST if first else ItemAction.PUT_BACK, ItemSelection()) == len(waiting)
        for item in waiting:
            item.wait(item.available_at, priority=int(first))

    # What holds at every moment

    @invariant()
    def the_rows_the_counters_and_the_vectors_are_what_the_model_says(self) -> None:
        entries, in_queue, vectors = schema.entries.c, schema.items.c, schema.embeddings.c
        query = (
            sa.select(entries.key, in_queue.state, in_queue.attempts, in_queue.lease_id, entries.content_hash == vectors.content_hash)
            .join_from(schema.entries, schema.items, isouter=True)
            .join(schema.embeddings, vectors.entry_id == entries.entry_id, isouter=True)
        )
        with self.database.read() as connection:
            rows = {key: rest for key, *rest in connection.execute(query)}
            counters = get_counters(connection)
        assert set(rows) == set(self.model)
        for key, entry in self.model.items():
            state, attempts, lease_id, is_current = rows[key]
            if entry.item is None:
                assert (state, is_current) == (None, True), "what waits for nothing has the vector of its present text"
            else:
                assert (state, attempts, lease_id) == (entry.item.state, entry.item.attempts, entry.item.lease)
        states = [item.state for item in self._in("pending", "leased", "failed", "discarded")]
        expected = {"entries": len(self.model)} | {state: states.count(state) for state in ("pending", "leased", "failed", "discarded")}
        assert {name: counters[name] for name in expected} == expected
        assert sum(counters[f"failed_{cause}"] for cause in FailureCause) == counters["failed"]

    def _held(self, lease_id: str) -> list[Entry]:
        return [entry for entry in self.model.values() if entry.item and entry.item.lease == lease_id]

    def _key_of(self, entry_id: int) -> str:
        with self.database.read() as connection:
            query = sa.select(schema.entries.c.key).where(schema.entries.c.entry_id == entry_id)
            return connection.execute(query).scalar_one_or_none() or ""


@pytest.mark.feature("Q1", "W6")
def test_the_queue_keeps_to_the_model_whatever_happens_in_whatever_order(migrated_file: Path) -> None:
    QueueMachine.template = migrated_file
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        QueueMachine, settings=settings(max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=checks)
    )
