"""Undo against a model: whatever was imported, embedded and undone before, in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.contract.states import ImportMode
from lib.service.sheets.cells import hash_content, hash_record
from lib.service.storage import changes, items, plans, schema
from lib.service.storage.counters import get_counters, next_revision
from lib.service.storage.database import Database

FINGERPRINT = "f" * 16
NOW = datetime.fromtimestamp(1000, UTC)
SHEETS = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["one", "two", "three"]), min_size=1, max_size=5)


@dataclass(frozen=True)
class Row:
    """One entry, as the model and the table know it."""

    entry_id: int
    text: str


Rows = dict[str, Row]


@dataclass
class Import:
    """What one import found and what it left; a key is missing where there was no entry."""

    job_id: str
    before: Rows
    after: Rows

    @property
    def touched(self) -> list[str]:
        return [key for key in {**self.before, **self.after} if self.before.get(key) != self.after.get(key)]

    def undo(self, rows: Rows) -> tuple[Rows, dict[str, str]]:
        """The table after taking it back, and what becomes of each row."""
        result, outcomes, ids = dict(rows), {}, {row.entry_id for row in rows.values()}
        for key in self.touched:
            was, left = self.before.get(key), self.after.get(key)
            untouched = rows.get(key) == left if left else key not in rows and was is not None and was.entry_id not in ids
            outcomes[key] = "reversed" if untouched else "kept"
            if untouched and was:
                result[key] = was
            elif untouched:
                del result[key]
        return result, outcomes


class World:
    """A database and the imports made into it."""

    def __init__(self, template: Path) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copyfile(template, self.folder / "db.sqlite")
        self.database = Database(f"sqlite:///{self.folder / 'db.sqlite'}")
        self.imports: list[Import] = []

    def close(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    def rows(self) -> Rows:
        with self.database.read() as connection:
            return {row.key: Row(row.entry_id, row.text) for row in connection.execute(sa.select(schema.entries))}

    def import_sheet(self, sheet: Mapping[str, str], *, mirror: bool) -> None:
        before, plan_id, job_id = self.rows(), uuid4().hex, uuid4().hex
        differing = {key: text for key, text in sheet.items() if key not in before or before[key].text != text}
        lines = [("changed" if key in before else "new", key, text) for key, text in differing.items()]
        lines += [("removed", key, "") for key in before if mirror and key not in sheet]
        if not lines:
            return  # the gate refuses a plan without changes
        with self.database.write() as connection:
            about: dict[str, Any] = {"source": {}, "source_name": "", "mapping": {}, "mode": ImportMode.MIRROR, "requested_by": "ann"}
            plans.insert_plan(connection, plan_id=plan_id, job_id=uuid4().hex, created_at=NOW, expires_at=NOW, **about)
            plans.add_plan_rows(
                connection,
                [
                    (plan_id, number, number, change, key, text, '{"text": null}', "{}",
                     hash_content(text), hash_record(key, {"text": text}, {}), before[key].entry_id if key in before else None, None, None)
                    for number, (change, key, text) in enumerate(lines)
                ],
            )  # fmt: skip
            changes.apply_plan(connection, plan_id=plan_id, job_id=job_id, with_removals=True, fingerprint=FINGERPRINT, now=NOW)
        self.imports.append(Import(job_id, before, self.rows()))

    def undo(self, which: Import) -> changes.Undone:
        with self.database.write() as connection:
            about = {"import_job_id": which.job_id, "job_id": uuid4().hex}
            return changes.undo_import(connection, fingerprint=FINGERPRINT, now=NOW, **about)

    def preview_undo(self, which: Import) -> dict[str, str]:
        with self.database.read() as connection:
            rows = changes.list_undo_rows(connection, which.job_id, outcome=None, after=-1, limit=100)
        return {row.key: row.outcome for row in rows}

    def embed(self) -> None:
        with self.database.write() as connection:
            about: dict[str, Any] = {"lease_id": uuid4().hex, "fingerprint": FINGERPRINT, "now": NOW.timestamp()}
            claimed = items.claim_items(connection, worker_id="w", limit=100, lease_seconds=60, **about)
            items.store_vectors(connection, FINGERPRINT, [(item.content_hash, b"vector") for item in claimed])
            hashes = {item.entry_id: item.content_hash for item in claimed}
            items.settle_items(connection, hashes=hashes, revision=next_revision(connection), **about)

    def check(self) -> None:
        """Every entry has the vector of its present text or waits for it, never both; counters count; no known text waits."""
        with self.database.read() as connection:
            entries, queued, vectors = schema.entries.c, schema.items.c, schema.embeddings.c
            current = sa.select(entries.entry_id).join_from(
                schema.entries, schema.embeddings, (vectors.entry_id == entries.entry_id) & (vectors.content_hash == entries.content_hash)
            )
            embedded = set(connection.execute(current).scalars())
            waiting = {row.entry_id: row.content_hash for row in connection.execute(sa.select(queued.entry_id, queued.content_hash))}
            known = set(connection.execute(sa.select(schema.vectors.c.content_hash)).scalars())
            counters = get_counters(connection)
            ids = {row.entry_id: row.content_hash for row in connection.execute(sa.select(entries.entry_id, entries.content_hash))}
        assert embedded | set(waiting) == set(ids)
        assert not embedded & set(waiting)
        assert all(ids[entry_id] == content_hash and content_hash not in known for entry_id, content_hash in waiting.items())
        assert (counters["entries"], counters["pending"], counters["leased"]) == (len(ids), len(waiting), 0)


STEPS = st.lists(
    st.one_of(st.tuples(st.just("import"), SHEETS, st.booleans()), st.just(("embed",)), st.tuples(st.just("undo"), st.integers(0, 9))),
    min_size=2,
    max_size=9,
)


@pytest.mark.feature("M2")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_undo_does_what_the_model_says_whatever_came_before_it(migrated_file: Path, steps: list[Any]) -> None:
    world = World(migrated_file)
    try:
        for verb, *arguments in steps:
            if verb == "import":
                world.import_sheet(arguments[0], mirror=arguments[1])
            elif verb == "embed":
                world.embed()
            elif world.imports:
                which = world.imports.pop(arguments[0] % len(world.imports))
                expected, outcomes = which.undo(world.rows())
                assert world.preview_undo(which) == outcomes
                undone = world.undo(which)
                assert world.rows() == expected
                assert world.preview_undo(which) == outcomes, "the report still says what was done"
                assert (undone.reversed, undone.kept) == tuple(list(outcomes.values()).count(each) for each in ("reversed", "kept"))
            world.check()
    finally:
        world.close()
