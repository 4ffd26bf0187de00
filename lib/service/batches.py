"""One batch on its way through the embedder: what got a vector, what did not and why, and whether the embedder wants a rest."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from lib.contract.states import FailureCause
from lib.service.embedders import Embedder, EmbeddingFailed
from lib.service.storage.items import ClaimedItem


@dataclass
class Outcome:
    """What came of a batch. ``trouble`` is set when the embedder itself could not, whatever the text."""

    good: list[ClaimedItem] = field(default_factory=list)
    vectors: list[tuple[bytes, bytes]] = field(default_factory=list)
    failed: list[tuple[ClaimedItem, EmbeddingFailed]] = field(default_factory=list)
    trouble: EmbeddingFailed | None = None


def embed_batch(embedder: Embedder, batch: list[ClaimedItem]) -> Outcome:
    """Embed what has no vector yet, in parts the embedder likes; one bad text fails alone and not with its neighbours."""
    outcome = Outcome(good=[item for item in batch if item.cached])
    todo = [item for item in batch if not item.cached]
    size = max(1, embedder.batch_texts)
    parts = deque(todo[start : start + size] for start in range(0, len(todo), size))
    while parts:
        part = parts.popleft()
        try:
            rows = embedder.embed([item.text for item in part])
        except Exception as error:  # noqa: BLE001 - an embedder's own bug must not stop the worker
            failure = error if isinstance(error, EmbeddingFailed) else unexpected_failure(error)
            parts.extendleft(reversed(_sort_out(outcome, part, failure)))
            if outcome.trouble:  # it would be the same with every other part
                outcome.failed += [(item, failure) for rest in parts for item in rest]
                break
            continue
        outcome.vectors += [(item.content_hash, row.tobytes()) for item, row in zip(part, rows, strict=True)]
        outcome.good += part
    return outcome


def _sort_out(outcome: Outcome, part: list[ClaimedItem], failure: EmbeddingFailed) -> list[list[ClaimedItem]]:
    """Note who is to blame; answers what is still worth trying."""
    if failure.position is not None:
        outcome.failed.append((part[failure.position], failure))
        rest = part[: failure.position] + part[failure.position + 1 :]
        return [rest] if rest else []
    if failure.divisible and len(part) > 1:
        middle = len(part) // 2
        return [part[:middle], part[middle:]]
    outcome.failed += [(item, failure) for item in part]
    if not failure.divisible:
        outcome.trouble = failure
    return []


def unexpected_failure(error: Exception) -> EmbeddingFailed:
    """Any other error of an embedder, as a cause people can read."""
    return EmbeddingFailed(FailureCause.UNEXPECTED, f"{type(error).__name__}: {error}", retryable=True)
