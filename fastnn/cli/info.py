"""`fastnn info`: what this installation computes with."""

from __future__ import annotations

import argparse
import json

from fastnn.configuration import configuration, show_config


def run(arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(configuration(), indent=1))
    else:
        show_config()
