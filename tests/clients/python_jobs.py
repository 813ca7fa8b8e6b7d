"""Runs a Python SDK in a process of its own, as `node_jobs.mjs` does with those for Node.

python -m tests.clients.python_jobs tests.clients.python_messages BASE-URL
"""

import importlib
import json
import sys

from tests.clients.sdk import Json, Options, Raised, Sdk


def main() -> None:
    """Does a job a line until standard input ends."""
    module, base_url = sys.argv[1:]
    with importlib.import_module(module).serve(base_url) as sdk:
        for line in sys.stdin:
            print(json.dumps(_outcome(sdk, json.loads(line))), flush=True)


def _outcome(sdk: Sdk, line: dict[str, Json]) -> dict[str, Json]:
    options = Options(line["key"], line["retries"])
    try:
        return {"id": line["id"], "result": sdk.do(line["job"], line["request"], options)}
    except Raised as error:
        return {"id": line["id"], "raised": error.fields}


if __name__ == "__main__":
    main()
