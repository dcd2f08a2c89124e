"""Builds what is published: wheel, sdist, jar, sources, Javadoc, SBOM and licences.

``dist.py OUTPUT`` builds what is committed, from a copy: nothing that lies around in a working tree
gets into a release. ``dist.py --check`` builds it twice, in two places and with another time zone,
language and umask, and compares; then it has the sdist build the wheel in a new environment with no
repository around it. Run with the Python of .venv: ``make dist``, ``make dist-check``.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
JAVA = "flink-python-async-batch-java"
SHADED = ("proto", "arrow-bridge", JAVA)
POM = "{http://maven.apache.org/POM/4.0.0}"
# What may be inside of the jar; anything else has to be looked at by a person first.
ACCEPTED_LICENCES = {"Apache-2.0", "BSD-3-Clause", "MIT"}
SUMS = "SHA256SUMS"


def build(commit: str, directory: Path, output: Path, environment: dict[str, str]) -> None:
    """
    Builds a release.

    :param commit: what is built.
    :param directory: where its files are copied to; must not exist.
    :param output: where the artifacts go; must be empty.
    :param environment: variables beside those of this process.
    """
    # Modes of files become part of jars.
    os.umask(0o022)
    directory.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x"], cwd=directory, input=archive.stdout, check=True)
    epoch = str(_epoch(directory))
    variables = {**os.environ, "SOURCE_DATE_EPOCH": epoch, **environment}
    maven = "./mvnw -B -q -Pdist -pl %s -am -DskipTests package" % JAVA
    subprocess.run(maven.split(), cwd=directory, env=variables, check=True)
    target = directory / JAVA / "target"
    (jar,) = target.glob("*-dist.jar")
    (javadoc,) = target.glob("*-javadoc.jar")
    _put_into_package(directory, jar)
    hatchling = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "sdist",
        "-t",
        "wheel",
        "-d",
        str(output),
    ]
    project = directory / "pyflink-async-batch"
    subprocess.run(hatchling, cwd=project, env=variables, check=True)
    name = jar.name[: -len("-dist.jar")]
    shutil.copyfile(jar, output / (name + ".jar"))
    shutil.copyfile(javadoc, output / (name + "-javadoc.jar"))
    _sources(directory, output / (name + "-sources.jar"), int(epoch))
    parts = _bill_of_materials(directory, target / "bom.json", output / (name + "-sbom.json"))
    _licences(parts, output / "THIRD-PARTY.md")
    for path in output.iterdir():
        path.chmod(0o644)
    sums = [
        "%s  %s\n" % (hashlib.sha256(path.read_bytes()).hexdigest(), path.name)
        for path in sorted(output.iterdir())
        if path.is_file()
    ]
    (output / SUMS).write_text("".join(sums), encoding="utf-8")


def _epoch(directory: Path) -> int:
    """The one moment that every file of a release has, from the root pom."""
    pom = (directory / "pom.xml").read_text(encoding="utf-8")
    (stamp,) = re.findall(r"<project.build.outputTimestamp>(.+)</", pom)
    return int(datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp())


def _put_into_package(directory: Path, jar: Path) -> None:
    """As the Makefile does for the working tree."""
    package = directory / "pyflink-async-batch" / "src" / "pyflink_async_batch"
    (package / "lib").mkdir()
    shutil.copyfile(jar, package / "lib" / jar.name)
    for generated in (directory / "proto" / "target" / "generated-python").glob("*_pb2.py*"):
        shutil.copyfile(generated, package / "_proto" / generated.name)


def _sources(directory: Path, jar: Path, epoch: int) -> None:
    """One jar with the sources of everything of ours that the shaded jar holds."""
    roots = [directory / module / "src" / "main" / "java" for module in SHADED]
    roots += [directory / "proto" / "src" / "main" / "proto"]
    roots += sorted((directory / "proto" / "target" / "generated-sources").iterdir())
    files = {
        path.relative_to(root).as_posix(): path
        for root in roots
        for path in root.rglob("*")
        if path.suffix in (".java", ".proto")
    }
    moment = time.gmtime(epoch)
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (moment.tm_year, moment.tm_mon, moment.tm_mday, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name].read_bytes())


def _bill_of_materials(directory: Path, made: Path, output: Path) -> list[dict[str, Any]]:
    """
    Writes the plugin's SBOM without what is not in the jar, since Flink brings it.

    :return: the parts that others have made.
    """
    pom = ElementTree.parse(directory / JAVA / "pom.xml")
    shaded = [
        str(include.text) for include in pom.findall(".//%sartifactSet//%sinclude" % (POM, POM))
    ]
    bill = json.loads(made.read_text(encoding="utf-8"))

    def is_shaded(part: dict[str, Any]) -> bool:
        name = "%s:%s" % (part["group"], part["name"])
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in shaded)

    bill["components"] = [part for part in bill["components"] if is_shaded(part)]
    kept = {part["bom-ref"] for part in bill["components"]}
    kept.add(bill["metadata"]["component"]["bom-ref"])
    bill["dependencies"] = [
        {**entry, "dependsOn": [ref for ref in entry.get("dependsOn", []) if ref in kept]}
        for entry in bill["dependencies"]
        if entry["ref"] in kept
    ]
    output.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    own = bill["metadata"]["component"]["group"]
    return [part for part in bill["components"] if part["group"] != own]


def _licences(parts: list[dict[str, Any]], output: Path) -> None:
    """Lists what the jar holds and under which licence; refuses one that nobody has looked at."""
    lines = ["| part | version | licence |", "|---|---|---|"]
    for part in sorted(parts, key=lambda part: str(part["purl"])):
        licences = [
            str(entry["license"].get("id") or entry["license"].get("name"))
            if "license" in entry
            else str(entry["expression"])
            for entry in part.get("licenses", [])
        ]
        name = "%s:%s" % (part["group"], part["name"])
        if not licences or not set(licences) <= ACCEPTED_LICENCES:
            sys.exit("%s %s has the licence %s" % (name, part["version"], licences or "unknown"))
        lines.append("| %s | %s | %s |" % (name, part["version"], ", ".join(licences)))
    head = (
        "# What the jar holds of others\n\n"
        "Relocated, and so not seen by other code. The texts of the licences are in the jar's "
        "META-INF/licenses,\nthe notices in its META-INF/NOTICE.\n\n"
    )
    output.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def check(commit: str, directory: Path) -> None:
    """Leaves the process with 1 if a release is not the same wherever it is built."""
    outputs = []
    for place, environment, mask in (
        ("here", {"TZ": "UTC", "LC_ALL": "C.UTF-8"}, 0o022),
        ("some/where/else", {"TZ": "Pacific/Apia", "LC_ALL": "C"}, 0o077),
    ):
        outputs.append(directory / ("release-" + place.replace("/", "-")))
        outputs[-1].mkdir()
        os.umask(mask)
        build(commit, directory / place, outputs[-1], environment)
    first, second = ((output / SUMS).read_text(encoding="utf-8") for output in outputs)
    if first != second:
        sys.exit("two builds differ:\n%s\nand\n%s\n%s" % (first, second, _differences(*outputs)))
    _sdist_builds_the_wheel(outputs[0], directory / "fresh")
    print(first + "the same twice, and the sdist builds the wheel")


def _differences(first: Path, second: Path) -> str:
    """What is not the same inside of archives that are not."""
    lines = []
    for path in sorted(first.iterdir()):
        if path.suffix in (".jar", ".whl"):
            one, other = _entries(path), _entries(second / path.name)
            names = sorted(
                name for name in one.keys() | other.keys() if one.get(name) != other.get(name)
            )
            lines += ["%s: %s" % (path.name, name) for name in names[:10]]
    return "\n".join(lines)


def _entries(archive: Path) -> "dict[str, tuple[object, ...]]":
    with zipfile.ZipFile(archive) as opened:
        return {
            entry.filename: (entry.CRC, entry.external_attr, entry.date_time)
            for entry in opened.infolist()
        }


def _sdist_builds_the_wheel(release: Path, directory: Path) -> None:
    """In an environment that has nothing but pip, which fetches what the build asks for."""
    venv.create(directory / "venv", with_pip=True)
    (sdist,) = release.glob("*.tar.gz")
    (wheel,) = release.glob("*.whl")
    python = str(directory / "venv" / "bin" / "python")
    command = [python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", "built", str(sdist)]
    subprocess.run(command, cwd=directory, check=True)
    built = directory / "built" / wheel.name
    if _members(built) != _members(wheel):
        sys.exit("the wheel that %s builds has other files than %s" % (sdist.name, wheel.name))


def _members(wheel: Path) -> dict[str, bytes]:
    """Content by name, but for what tells which version of the build tool was there."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith(("/WHEEL", "/RECORD"))]
        return {name: archive.read(name) for name in names}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    """Reads the command line."""
    command_line = argparse.ArgumentParser(description=__doc__)
    command_line.add_argument("output", type=Path, nargs="?", help="a directory; is emptied")
    command_line.add_argument("--check", action="store_true", help="build twice and compare")
    arguments = command_line.parse_args()
    if arguments.check == (arguments.output is not None):
        command_line.error("either OUTPUT or --check")
    commit = _git("rev-parse", "HEAD").strip()
    changed = _git("status", "--porcelain")
    if changed:
        print("what is not committed is left out:\n" + changed, file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="async-batch-dist-") as directory:
        if arguments.check:
            check(commit, Path(directory))
        else:
            output = arguments.output.resolve()
            shutil.rmtree(output, ignore_errors=True)
            output.mkdir(parents=True)
            build(commit, Path(directory) / "tree", output, {})
            print((output / SUMS).read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
