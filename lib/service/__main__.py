"""``python -m lib.service api`` serves the operations API alone; ``… worker --role embedding|operations`` is one worker."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from types import FrameType

from lib.contract.states import WorkerRole
from lib.service.config import Config
from lib.service.data_lock import exit_if_in_use
from lib.service.logs import configure_logs


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lib.service", description="Switchyard's service side.")
    commands = parser.add_subparsers(dest="command", required=True)
    api = commands.add_parser("api", help="serve the operations API and supervise workers")
    api.add_argument("--host", default="127.0.0.1")
    api.add_argument("--port", type=int, default=8600)
    worker = commands.add_parser("worker", help="run one worker in this process")
    worker.add_argument("--role", type=WorkerRole, choices=list(WorkerRole), required=True)
    worker.add_argument("--name", help="its lasting place; default: host, role and process id")
    worker.add_argument("--parent", type=int, help="the process id of its supervisor, with which it ends")
    chosen = parser.parse_args(arguments)
    config = Config()
    config.create_folders()
    if chosen.command == "api":
        return _serve_api(config, chosen.host, chosen.port)
    return _run_worker(config, chosen.role, chosen.name or f"{socket.gethostname()}-{chosen.role}-{os.getpid()}", chosen.parent)


def _serve_api(config: Config, host: str, port: int) -> int:
    exit_if_in_use(config.data_dir)
    import uvicorn

    from lib.service.app import create_app

    uvicorn.run(create_app(config, hosts=[host]), host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)
    return 0


def _run_worker(config: Config, role: WorkerRole, worker_id: str, parent: int | None) -> int:
    configure_logs(config.logs_dir, worker_id)
    if role is WorkerRole.EMBEDDING:
        from lib.service.worker_process import EmbeddingProcess as Process
    else:
        from lib.service.worker_process import OperationsProcess as Process  # type: ignore[assignment]
    process = Process(config, worker_id, parent)

    def _stop(_signal: int, _frame: FrameType | None) -> None:
        process.heart.gone.set()

    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.run()
    # The engine's threads may sit in a long step: it is checkpointed, so there is nothing to wait for.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
