"""
Compiles what has changed, and what names it, and runs the tests of one class: ``make quick
T=AimdLimitTest``. For the loop while writing; before a commit Maven has the last word, since what
has been deleted, and what depends on a change at second hand, is not seen here.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PREPARED = ROOT / "target" / "quick"
# In the order in which they build on each other.
SOURCES = (
    ("arrow-bridge", "src/main/java", "target/classes"),
    ("flink-python-async-batch-java", "src/main/java", "target/classes"),
    ("benchmarks/overload", "src/main/java", "target/classes"),
    ("arrow-bridge", "src/test/java", "target/test-classes"),
    ("tests-java", "src/test/java", "target/test-classes"),
)


def main() -> None:
    name = sys.argv[1]
    found = [
        (ROOT / module, path)
        for module, sources, _ in SOURCES
        for path in (ROOT / module / sources).rglob(name + ".java")
    ]
    if len(found) != 1:
        sys.exit("T must be the name of one test class, got %s: %d found" % (name, len(found)))
    ((module, path),) = found
    _compile()
    package = re.search(r"^package ([\w.]+);", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert package is not None
    launcher = ["org.junit.platform.console.ConsoleLauncher", "execute", "--disable-banner"]
    command = [_java("java"), "-XX:TieredStopAtLevel=1", *_arguments(), "-cp", _classpath()]
    selected = ["--details=tree", "--select-class", "%s.%s" % (package[1], name)]
    # Tests look for files from their module's directory, as under Maven.
    os.chdir(module)
    os.execvp(command[0], [*command, *launcher, *selected])


def _compile() -> None:
    sources = {
        path: ROOT / module / classes / path.relative_to(ROOT / module / directory)
        for module, directory, classes in SOURCES
        for path in (ROOT / module / directory).rglob("*.java")
        if path.name != "package-info.java"
    }
    changed = {path for path, target in sources.items() if _is_stale(path, target)}
    if not changed:
        return
    named = re.compile(r"\b(?:%s)\b" % "|".join(sorted(path.stem for path in changed)))
    for module, directory, classes in SOURCES:
        base = ROOT / module / directory
        wanted = [
            str(path)
            for path in sources
            if base in path.parents and (path in changed or named.search(path.read_text("utf-8")))
        ]
        if wanted:
            output = str(ROOT / module / classes)
            options = ["-nowarn", "-proc:none", "--release", "17", "-d", output]
            subprocess.run([_java("javac"), *options, "-cp", _classpath(), *wanted], check=True)


def _is_stale(source: Path, target: Path) -> bool:
    compiled = target.with_suffix(".class")
    return not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime


def _classpath() -> str:
    own = [str(ROOT / module / classes) for module, _, classes in reversed(SOURCES)]
    libraries = (PREPARED / "classpath").read_text(encoding="utf-8").strip()
    resources = str(ROOT / "proto" / "target" / "classes")
    return os.pathsep.join([*own, resources, libraries, str(PREPARED / "console.jar")])


def _arguments() -> "list[str]":
    pom = (ROOT / "pom.xml").read_text(encoding="utf-8")
    found = re.search(r"<test\.jvm\.args>(.*?)</test\.jvm\.args>", pom)
    assert found is not None
    return found[1].split()


def _java(program: str) -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / program) if home else program


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
