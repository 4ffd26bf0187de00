"""What a generation says about itself."""

from __future__ import annotations

import hashlib
import json

import faiss
import numpy as np
import pytest
import xxhash

from lib.service.index.manifest import INDEX_FILE, MANIFEST_FILE, Manifest, folder_name, generation_of, hash_ids, read_whole


@pytest.mark.feature("N4")
def test_the_manifest_on_disk_holds_every_fact_and_reads_back_equal(generations, publish):
    manifest = publish(5, 3, 9, job_id="job-1", revision=42)
    data = (generations.folder_of(manifest) / INDEX_FILE).read_bytes()
    facts = json.loads((generations.folder_of(manifest) / MANIFEST_FILE).read_bytes())
    assert Manifest.model_validate(facts) == manifest
    built_at, build_seconds = facts.pop("built_at"), facts.pop("build_seconds")
    hashes = {"sha256": hashlib.sha256(data).hexdigest(), "xxh3": xxhash.xxh3_128(data).hexdigest()}
    assert facts == {
        "schema": 1,
        "generation": 1,
        "previous_generation": None,
        "factory": "IDMap2,Flat",
        "metric": "inner_product",
        "dimension": 16,
        "vectors": 3,
        "embedder": "fake-16",
        "fingerprint": "f" * 16,
        "revision": 42,
        "ids_sha256": hashlib.sha256(np.array([3, 5, 9], "<i8").tobytes()).hexdigest(),
        "files": {INDEX_FILE: hashes | {"size_bytes": len(data)}},
        "faiss_version": faiss.__version__,
        "job_id": "job-1",
    }
    assert built_at.endswith("Z")
    assert 0 <= build_seconds < 60


@pytest.mark.feature("N4")
def test_the_hash_of_the_ids_ignores_their_order_and_nothing_else():
    assert hash_ids(np.array([3, 1, 2])) == hash_ids(np.array([1, 2, 3]))
    assert hash_ids(np.array([1, 2])) != hash_ids(np.array([1, 2, 3]))
    assert hash_ids(np.array([1, 2, 4])) != hash_ids(np.array([1, 2, 3]))
    assert hash_ids(np.empty(0, np.int64)) == hashlib.sha256().hexdigest()


@pytest.mark.feature("N4")
def test_the_same_vectors_give_the_same_file(generations, publish):
    first, second = publish(1, 2, 3, job_id="a"), publish(1, 2, 3, job_id="b")
    assert first.files == second.files
    assert first.ids_sha256 == second.ids_sha256


@pytest.mark.parametrize(("number", "name"), [(3, "generation-000003"), (1_234_567, "generation-1234567")])
def test_a_generations_name_and_number_lead_to_each_other(number, name):
    assert folder_name(number) == name
    assert generation_of(name) == number


@pytest.mark.parametrize("name", ["generation-3", "generation-000003.old", "building-000003", "", "generation-00000x"])
def test_another_name_is_not_a_generations(name):
    assert generation_of(name) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / INDEX_FILE).unlink(),
        lambda folder: (folder / INDEX_FILE).write_bytes(b"short"),
        lambda folder: (folder / MANIFEST_FILE).unlink(),
        lambda folder: (folder / MANIFEST_FILE).write_text(""),
        lambda folder: (folder / MANIFEST_FILE).write_text((folder / MANIFEST_FILE).read_text().replace('"schema": 1', '"schema": 2')),
        lambda folder: (folder / MANIFEST_FILE).write_bytes(b"\xff\xfe"),
        lambda folder: folder.rename(folder.parent / "generation-000009"),
    ],
)
def test_a_spoiled_folder_is_not_whole_and_raises_nothing(generations, publish, spoil):
    folder = generations.folder_of(publish(1, 2, job_id="a"))
    assert read_whole(folder) is not None
    spoil(folder)
    assert read_whole(folder) is None
    assert read_whole(folder.parent / "generation-000009") is None
