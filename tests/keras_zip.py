"""Files of Keras for tests: their parts, and ways to change them."""

from __future__ import annotations

import json
import zipfile

import pytest

from fastnn import load_model

PARTS = ["metadata.json", "config.json", "model.weights.h5"]


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in PARTS}


def write(path, parts, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in parts.items():
            archive.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
    return path


def changed(parts, **given):
    names = {"config": "config.json", "weights": "model.weights.h5", "metadata": "metadata.json"}
    return {**parts, **{names[name]: content for name, content in given.items()}}


def described(good, change):
    config = json.loads(good["config.json"])
    change(config)
    return changed(good, config=config)


def at(config, *path):
    for key in path:
        config = config[key]
    return config


def refused(path, match=r"m\.keras"):
    with pytest.raises(ValueError, match=match) as caught:
        load_model(path)
    assert "Received" in str(caught.value)
