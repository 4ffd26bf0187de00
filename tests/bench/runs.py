"""Records real imports for the replay of the time left: what waited, how many workers, and how many seconds until nothing did.

    python -m tests.bench.runs > tests/service/recorded_runs.csv
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from tests.faults.console import Console, until
from tests.faults.road import Sheet, start_import, start_preview, wait_drained, wait_job, wait_plan

RUNS = 23


def main() -> None:
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder) / "data", environment={"SWITCHYARD_WORKERS": "2"})
        try:
            console.start()
            sheet = Sheet(rows=0)
            for _ in range(RUNS):
                sheet.extend(int(10 ** chance.uniform(2.7, 4.5)))
                plan_id = start_preview(console, sheet)
                wait_plan(console, plan_id)
                wait_job(console, start_import(console, plan_id))
                wait_drained(console)
                print(f"{len(sheet.texts):,} rows", file=sys.stderr, flush=True)
            until(lambda: console.value("SELECT COUNT(*) FROM runs WHERE ended_at IS NULL") == 0, 30, "the end of the last")
            print("rows,workers,seconds")
            for row in console.query("SELECT waiting, workers, ended_at - started_at FROM runs ORDER BY run_id"):
                print("{},{},{:.2f}".format(*row))
        finally:
            console.sweep()


if __name__ == "__main__":
    main()
