"""Compares the public Java API with the last one that was released, or makes a new one of that.

``java_api.py check JAR JAPICMP`` ends with 1 where code that was compiled against the baseline
would not compile or not link any more. ``java_api.py baseline JAR`` makes the API of a jar the
baseline: ``release/api/java-api.jar``, which japicmp reads, and ``java-api.txt``, the same for
people. Run with the Python of .venv: ``make api``, ``make api-baseline``.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pyflink

BASELINE = Path(__file__).resolve().parent / "api" / "java-api.jar"
# Flink's annotation of what users may rely on; ArchitectureTest asks for it, or for its opposite.
PUBLIC = b"Lorg/apache/flink/annotation/PublicEvolving;"
INTERNAL = "@org.apache.flink.annotation.Internal"
OURS = re.compile(r"io/asyncbatch/flink/(?!shaded/)[\w/$]+\.class")
NESTED = re.compile(r"(io/asyncbatch/flink/[\w/]+?)(\$[A-Z]\w*)+\.class")
ADVICE = (
    "The Java API has changed in a way that breaks its users. If that is not meant, take it back: "
    "deprecate the old form and add the new one beside it. If it is meant, docs/versioning.md says "
    "in which releases it may happen; write it into CHANGELOG.md under 'Changed' or 'Removed', run "
    "'make api-baseline' and commit what that writes."
)


def write_api(jar: Path, output: Path) -> None:
    """Writes a jar of the public classes and those nested in them; always the same bytes."""
    with zipfile.ZipFile(jar) as archive:
        classes = {name: archive.read(name) for name in archive.namelist() if OURS.fullmatch(name)}
    public = {name[: -len(".class")] for name, content in classes.items() if PUBLIC in content}
    nested = {
        name for name in classes if (found := NESTED.fullmatch(name)) and found.group(1) in public
    }
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted({outer + ".class" for outer in public} | nested):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, classes[name])


def text_of(jar: Path) -> str:
    """The signatures in a jar, as the JDK's javap writes them."""
    with zipfile.ZipFile(jar) as archive:
        names = [name[: -len(".class")].replace("/", ".") for name in archive.namelist()]
    command = [_jdk_tool("javap"), "-protected", "-cp", "%s:%s" % (jar, _flink()), *names]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Compiled from")]
    return "\n".join(lines) + "\n"


def _jdk_tool(name: str) -> str:
    """A program of the JDK that Maven takes: in JAVA_HOME, or on the PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / name) if home else name


def _flink() -> str:
    return ":".join(str(jar) for jar in (Path(pyflink.__file__).parent / "lib").glob("*.jar"))


def incompatibilities(baseline: Path, jar: Path, japicmp: Path) -> str:
    """What japicmp says of a jar whose users need changes; nothing if none do."""
    with tempfile.TemporaryDirectory() as directory:
        api = Path(directory) / "java-api.jar"
        write_api(jar, api)
        command = [
            *(_jdk_tool("java"), "-jar", str(japicmp)),
            *("--old", str(baseline), "--new", str(api)),
            *("--old-classpath", "%s:%s" % (jar, _flink())),
            *("--new-classpath", "%s:%s" % (jar, _flink())),
            # Not --only-incompatible: it drops what only does not compile before that is judged.
            *("-a", "protected", "--exclude", INTERNAL, "--only-modified"),
            "--error-on-binary-incompatibility",
            "--error-on-source-incompatibility",
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def main() -> None:
    """Reads the command line."""
    command_line = argparse.ArgumentParser(description=__doc__)
    command_line.add_argument("what", choices=["check", "baseline"])
    command_line.add_argument("jar", type=Path, help="the jar that the wheel carries")
    command_line.add_argument("japicmp", type=Path, nargs="?", help="japicmp with what it needs")
    arguments = command_line.parse_args()
    if (arguments.what == "check") != (arguments.japicmp is not None):
        command_line.error("JAPICMP is for 'check', which needs it")
    if arguments.what == "check":
        found = incompatibilities(BASELINE, arguments.jar, arguments.japicmp)
        if found:
            sys.exit("%s\n%s" % (found, ADVICE))
    else:
        write_api(arguments.jar, BASELINE)
        BASELINE.with_suffix(".txt").write_text(text_of(BASELINE), encoding="utf-8")


if __name__ == "__main__":
    main()
