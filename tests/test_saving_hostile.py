"""Files that are damaged or hostile: a ValueError that names the file, never another error, and never execution."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastnn import Sequential, load_model
from fastnn.layers import Dense, Dropout, Input

NAMES = ["model.json", "weights.safetensors", "optimizer.safetensors"]


def trained():
    model = Sequential(
        [Input((3,)), Dense(4, "relu", name="hidden"), Dropout(0.5, seed=1), Dense(2, "softmax", name="out")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(np.ones((4, 3)), [0, 1, 0, 1], verbose=0)
    return model


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The parts of a good file."""
    path = tmp_path_factory.mktemp("good") / "m.fastnn"
    trained().save(path)
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in NAMES}
    return {"whole": path.read_bytes(), **found}


def write(path: Path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def members(parts, **changed):
    names = {name.partition(".")[0]: name for name in NAMES}
    found = {name: parts[name] for name in NAMES}
    for short, content in changed.items():
        if content is None:
            del found[names[short]]
        else:
            found[names[short]] = content if isinstance(content, bytes) else json.dumps(content).encode()
    return found


def refused(path, match=r"m.fastnn"):
    with pytest.raises(ValueError, match=match) as caught:
        load_model(path)
    assert "Received" in str(caught.value)


def loaded_or_refused(path):
    """The model, or None after a proper error."""
    try:
        return load_model(path)
    except ValueError:
        refused(path)
        return None


def test_the_good_file_is_good(parts, tmp_path):
    assert load_model(write(tmp_path / "m.fastnn", members(parts))).optimizer.iterations == 1


def test_truncated_anywhere(parts, tmp_path):
    whole, path = parts["whole"], tmp_path / "m.fastnn"
    for length in [*range(200), *range(200, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refused(path)


def test_any_byte_changed(parts, tmp_path):
    """Either the change is found, or it did not matter."""
    whole, path = parts["whole"], tmp_path / "m.fastnn"
    rng = np.random.default_rng(0)
    good = load_model(write(tmp_path / "good.fastnn", members(parts))).get_weights()
    places = [*rng.integers(0, len(whole), 150), *range(len(whole) - 250, len(whole))]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        found = loaded_or_refused(path)
        for a, b in zip(found.get_weights() if found else (), good):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("short", ["weights", "optimizer", "model"])
def test_any_part_truncated_or_changed(parts, tmp_path, short):
    """The same inside a sound zip, where no checksum helps."""
    content = parts[next(name for name in NAMES if name.startswith(short))]
    rng = np.random.default_rng(1)
    for length in [*range(40), *range(40, len(content), 61)]:
        refused(write(tmp_path / "m.fastnn", members(parts, **{short: content[:length]})))
    for place in rng.integers(0, len(content), 150):
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        loaded_or_refused(write(tmp_path / "m.fastnn", members(parts, **{short: bytes(damaged)})))


def test_wrong_members(parts, tmp_path):
    path = tmp_path / "m.fastnn"
    refused(write(path, {}), "expected the parts")
    refused(write(path, members(parts, weights=None)), "expected the part weights")
    refused(write(path, members(parts, model=None)), "expected the parts")
    refused(write(path, {**members(parts), "../../etc/passwd": b"x"}), "expected the parts")
    refused(write(path, {**members(parts), "weights.pkl": b"x"}), "expected the parts")
    refused(write(path, members(parts), compression=zipfile.ZIP_DEFLATED), "compressed or encrypted")


def test_a_bomb_is_not_unpacked(parts, tmp_path):
    """A gigabyte of zeros in a megabyte of zip."""
    path = tmp_path / "m.fastnn"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", parts["model.json"])
        with archive.open("weights.safetensors", "w") as stream:
            for _ in range(64):
                stream.write(bytes(2**20))
    refused(path, "compressed")


@pytest.mark.parametrize("size", [10**6, 2**31 - 1, 2**32 - 2])
def test_sizes_that_the_file_does_not_have(parts, tmp_path, size):
    """The directory of the zip claims more bytes than there are."""
    path = write(tmp_path / "m.fastnn", members(parts))
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    struct.pack_into("<II", content, entry + 20, size, size)
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("header", [2**63, 2**40, 10**8, 5])
def test_safetensors_headers_that_lie(parts, tmp_path, header):
    content = struct.pack("<Q", header) + parts["weights.safetensors"][8:]
    refused(write(tmp_path / "m.fastnn", members(parts, weights=content)))


def tensors(entries, data=b""):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "entries",
    [
        {"hidden/kernel": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 48]}},
        {"hidden/kernel": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 2**60]}},
        {"hidden/kernel": {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, 24]}},
        {"hidden/kernel": {"dtype": "OBJECT", "shape": [3, 4], "data_offsets": [0, 48]}},
        {"hidden/kernel": {"dtype": "F64", "shape": [3, 2], "data_offsets": [0, 48]}},
        {"hidden/kernel": None},
        [],
        {},
    ],
)
def test_safetensors_that_make_no_sense(parts, tmp_path, entries):
    refused(write(tmp_path / "m.fastnn", members(parts, weights=tensors(entries, bytes(48)))))


def test_arrays_of_another_shape_or_dtype(parts, tmp_path):
    from safetensors.numpy import load, save

    good = load(parts["weights.safetensors"])
    for name, array in (
        ("hidden/kernel", np.zeros((4, 3), np.float32)),
        ("hidden/bias", np.zeros(4)),
        ("hidden/bias", np.zeros(4, np.int32)),
        ("other", np.zeros(4, np.float32)),
    ):
        refused(write(tmp_path / "m.fastnn", members(parts, weights=save({**good, name: array}))))
    del good["out/bias"]
    refused(write(tmp_path / "m.fastnn", members(parts, weights=save(good))), "expected arrays named")


# -------------------------------------------------------------------------------------------------------- descriptions


def changed(parts, *path, to):
    """The description with one entry replaced, or removed."""
    described = json.loads(parts["model.json"])
    *outer, last = path
    inner = described
    for key in outer:
        inner = inner[key]
    if to is KeyError:
        del inner[last]
    else:
        inner[last] = to
    return described


STRANGE = [None, 3, -1, 1.5, "x", [], {}, [[]], True, 10**400, float("nan"), KeyError]
ENTRIES = [
    *(("format",), ("class_name",), ("config",), ("seed",), ("shuffles",), ("metadata",), ("compiled",)),
    *(("config", "layers"), ("config", "name"), ("config", "layers", 0), ("config", "layers", 1, "class_name")),
    *(("config", "layers", 1, "config"), ("config", "layers", 0, "config", "shape")),
    *(
        ("config", "layers", 1, "config", name)
        for name in ("units", "activation", "use_bias", "dtype", "name", "trainable")
    ),
    *(("config", "layers", 1, "config", "kernel_initializer"), ("config", "layers", 2, "config", "rate")),
    *(
        ("config", "layers", 1, "config", "trainable"),
        ("config", "layers", 2, "config", "seed"),
        ("compiled", "optimizer"),
        ("compiled", "loss"),
    ),
    *(("compiled", "metrics"), ("compiled", "iterations"), ("compiled", "optimizer", "config", "learning_rate")),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: "-".join(map(str, entry)))
def test_descriptions_with_strange_entries(parts, tmp_path, entry):
    """Each is refused, or is one that makes sense (a name may be "x"): then the model works."""
    for value in STRANGE:
        path = write(tmp_path / "m.fastnn", members(parts, model=changed(parts, *entry, to=value)))
        model = loaded_or_refused(path)
        if model is None:
            continue
        assert np.isfinite(model.predict(np.ones((2, 3)), verbose=0)).all()
        if model.compiled and model.loss is not None:
            model.fit(np.ones((2, 3)), [0, 1], verbose=0)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"null", b"[]", b'"model"', b"\xff\xfe", b"{}" * 2, b"[" * 100_000, b'{"format": 1}',
        b'{"format": ' + b"9" * 100_000 + b"}", b"NaN",
    ],
    ids=range(11),
)  # fmt: skip
def test_descriptions_that_are_none(parts, tmp_path, text):
    refused(write(tmp_path / "m.fastnn", members(parts, model=text)))


def test_files_of_another_version_or_with_unknown_classes(parts, tmp_path):
    path = tmp_path / "m.fastnn"
    refused(
        write(path, members(parts, model=changed(parts, "format", to=2))), "another version wrote this. Received: 2"
    )
    for name in ("Lambda", "os.system", "__import__", "Model"):
        refused(write(path, members(parts, model=changed(parts, "class_name", to=name))), "Unknown model class")
        entry = ("config", "layers", 1, "class_name")
        refused(write(path, members(parts, model=changed(parts, *entry, to=name))), "Unknown layer")
    for entry in (("compiled", "loss"), ("compiled", "optimizer", "class_name")):
        refused(write(path, members(parts, model=changed(parts, *entry, to="os.system"))), "Unknown")


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="no limit of memory here")
def test_a_model_that_is_only_described_allocates_nothing(parts, tmp_path):
    """Layers of a terabyte: refused because the file does not hold them, without drawing a number."""
    described = changed(parts, "config", "layers", 1, "config", "units", to=10**12)
    path = write(tmp_path / "m.fastnn", members(parts, model=described))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path, "hidden/kernel must be float32 of shape")
    many = [{"class_name": "Dense", "config": {"units": 30_000, "name": f"d{i}"}} for i in range(50)]
    described = changed(parts, "config", "layers", to=[json.loads(parts["model.json"])["config"]["layers"][0], *many])
    refused(write(path, members(parts, model=described)), "expected arrays named")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB


def test_nothing_is_ever_executed(parts, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    evil = pickle.dumps(Evil())
    path = tmp_path / "m.fastnn"
    path.write_bytes(evil)
    refused(path)
    for short in ("model", "weights", "optimizer"):
        refused(write(path, members(parts, **{short: evil})))
    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil()]), allow_pickle=True)
    refused(write(path, members(parts, weights=buffer.getvalue())))
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(evil)
    with pytest.raises(ValueError, match=r"w.safetensors"):
        trained().load_weights(weights)
    assert not (tmp_path / "executed").exists()


def test_weight_files_that_are_damaged(parts, tmp_path):
    model, path = trained(), tmp_path / "w.safetensors"
    before = model.get_weights()
    content = parts["weights.safetensors"]
    for damaged in (b"", content[:20], content[:-1], content + b"x", b"[" * 50_000, parts["optimizer.safetensors"]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"w.safetensors"):
            model.load_weights(path)
    # sound, with the right number of arrays, but of other names, and with an order that is none
    for order in (None, "x", "[1]", json.dumps(["a", "b", "c", "d"]), "[" * 50_000):
        entries = {str(i): {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i in range(4)}
        if order is not None:
            entries["__metadata__"] = {"order": order}
        path.write_bytes(tensors(entries, bytes(16)))
        with pytest.raises(ValueError, match=r"w.safetensors"):
            model.load_weights(path)
    for a, b in zip(model.get_weights(), before):
        np.testing.assert_array_equal(a, b)
