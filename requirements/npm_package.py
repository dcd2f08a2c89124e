"""
Files of the packages of npm.json, without node: ``npm_package.py mermaid DIRECTORY MEMBER...``.

From the registry in npm_config_registry or NPM_CONFIG_REGISTRY, or npm's own. What does not have
the pinned hash is not unpacked.
"""

import base64
import hashlib
import http.client
import io
import json
import os
import sys
import tarfile
import urllib.request
from pathlib import Path

_PINNED = Path(__file__).with_name("npm.json")
_REGISTRY = "https://registry.npmjs.org/"
_TIMEOUT_SECONDS = 60
_ATTEMPTS = 3
_LARGEST_BYTES = 256 * 1024 * 1024


def members(name: str, wanted: "list[str]") -> "dict[str, bytes]":
    """
    The contents of files of a package, by their paths in it.

    :raises SystemExit: the registry cannot be reached, or gave something else than what is pinned.
    """
    archive = _archive(name)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as package:
        found = {}
        for path in wanted:
            file = package.extractfile("package/" + path)
            if file is None:
                sys.exit("%s is no file in the npm package %s" % (path, name))
            found[path] = file.read()
    return found


def _archive(name: str) -> bytes:
    pinned = json.loads(_PINNED.read_text(encoding="utf-8"))[name]
    named = (os.environ.get(key) for key in ("npm_config_registry", "NPM_CONFIG_REGISTRY"))
    registry = next(filter(None, named), _REGISTRY).rstrip("/")
    url = "%s/%s/-/%s-%s.tgz" % (registry, name, name.split("/")[-1], pinned["version"])
    archive = _fetched(url)
    algorithm, _, expected = pinned["integrity"].partition("-")
    digest = base64.b64encode(hashlib.new(algorithm, archive).digest()).decode()
    if digest != expected:
        sys.exit("%s %s is not what npm.json pins: %s" % (name, pinned["version"], algorithm))
    return archive


def _fetched(url: str) -> bytes:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
                return bytes(answer.read(_LARGEST_BYTES))
        except (OSError, http.client.HTTPException) as error:
            if attempt == _ATTEMPTS:
                sys.exit("cannot fetch %s: %s" % (url.rsplit("/", 1)[-1], error))
    raise AssertionError("unreachable")


def main() -> None:
    name, directory, *wanted = sys.argv[1:]
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    for path, content in members(name, wanted).items():
        (target / Path(path).name).write_bytes(content)


if __name__ == "__main__":
    main()
