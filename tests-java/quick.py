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
    """By one compiler, as starting them takes time, into directories that come before Maven's."""
    stale = set()
    sources = {}
    for module, directory, classes in SOURCES:
        base = ROOT / module / directory
        for path in base.rglob("*.java"):
            if path.name != "package-info.java":
                relative = path.relative_to(base).with_suffix(".class")
                changed = PREPARED / classes / relative
                sources[path] = relative, changed
                if _is_stale(path, ROOT / module / classes / relative, changed):
                    stale.add(path)
    if not stale:
        return
    named = re.compile(r"\b(?:%s)\b" % "|".join(sorted(path.stem for path in stale)))
    wanted = [path for path in sources if named.search(path.read_text(encoding="utf-8"))]
    made = PREPARED / "target" / "classes"
    made.mkdir(parents=True, exist_ok=True)
    options = ["-J-XX:TieredStopAtLevel=1", "-nowarn", "-proc:none", "--release", "17"]
    options += ["-d", str(made), "-cp", _classpath()]
    subprocess.run([_java("javac"), *options, *map(str, wanted)], check=True)
    for path in wanted:
        relative, changed = sources[path]
        _move(made / relative, changed)


def _move(made: Path, to: Path) -> None:
    """Classes of tests away from the others: rules about rooms are about the others alone."""
    if made != to:
        to.parent.mkdir(parents=True, exist_ok=True)
        for compiled in (made, *made.parent.glob(made.stem + "$*.class")):
            compiled.replace(to.parent / compiled.name)


def _is_stale(source: Path, of_maven: Path, changed: Path) -> bool:
    """Whether neither has the source as it is; what Maven has compiled since then is forgotten."""
    built = of_maven.stat().st_mtime if of_maven.exists() else 0.0
    if changed.exists() and changed.stat().st_mtime < built:
        for outdated in (changed, *changed.parent.glob(changed.stem + "$*.class")):
            outdated.unlink()
    newest = max(built, changed.stat().st_mtime if changed.exists() else 0.0)
    return newest < source.stat().st_mtime


def _classpath() -> str:
    changed = [str(PREPARED / "target" / made) for made in ("classes", "test-classes")]
    own = [str(ROOT / module / classes) for module, _, classes in reversed(SOURCES)]
    libraries = (PREPARED / "classpath").read_text(encoding="utf-8").strip()
    resources = str(ROOT / "proto" / "target" / "classes")
    return os.pathsep.join([*changed, *own, resources, libraries, str(PREPARED / "console.jar")])


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
