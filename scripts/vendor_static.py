"""Vendor the browser libraries under `static/vendor/`: exact versions, checked, with their licenses. No build step.

    python scripts/vendor_static.py           fetch with `npm pack`, check the sha512 of each tarball, unpack
    python scripts/vendor_static.py --check   compare the files with `static/vendor/versions.json`, without a network

To take a new version, change its line in `PACKAGES`, integrity included (`npm view NAME@VERSION dist.integrity`).
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
VERSIONS = VENDOR / "versions.json"
# The hashing static storage looks up every map a file names; the maps are left out, so the names go too.
SOURCE_MAP = re.compile(rb"(//[#@] sourceMappingURL=\S+|/\*[#@] sourceMappingURL=.*?\*/)\s*$")
SPRITE_ICONS = (
    "arrow-clockwise",
    "bar-chart",
    "bell",
    "box-arrow-right",
    "check-lg",
    "chevron-left",
    "chevron-right",
    "circle-half",
    "clock-history",
    "copy",
    "exclamation-triangle",
    "gear",
    "info-circle",
    "moon",
    "pencil",
    "people",
    "person-circle",
    "search",
    "sun",
    "trash3",
    "upload",
    "x-lg",
)


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package and what is taken from it.

    Attributes:
        name: the package's name on npm.
        version: exact version.
        license: SPDX expression.
        integrity: sha512 of the tarball as npm states it.
        folder: where its files go under `static/vendor/`.
        files: path inside the package → file name in `folder`.
        icons: names of SVG icons to join into one sprite.
    """

    name: str
    version: str
    license: str
    integrity: str
    folder: str
    files: Mapping[str, str]
    icons: tuple[str, ...] = ()


PACKAGES = (
    Package(
        name="bootstrap",
        version="5.3.9",
        license="MIT",
        integrity="sha512-20cU0rcfw8WdxtVbmfU+xT2EjvVTw9Ror/h1Qvd7DXCujRg8OO9mdBCsmTHdJFf3BuadmBNJtgIuUXsBqSkk/w==",
        folder="bootstrap",
        files={"dist/css/bootstrap.min.css": "bootstrap.min.css", "LICENSE": "LICENSE"},
    ),
    Package(
        name="bootstrap-icons",
        version="1.13.2",
        license="MIT",
        integrity="sha512-fAU1Ly3dH7hwRg+CB8EZ0Vl0fF80zgXHeUVJyfUOKzoURr+TbwISbCW5tKUoQLERaWYG2emTCybcPbD96hdD1A==",
        folder="bootstrap-icons",
        files={"LICENSE": "LICENSE"},
        icons=SPRITE_ICONS,
    ),
    Package(
        name="chart.js",
        version="4.6.1",
        license="MIT",
        integrity="sha512-hJyniucsFmq//EvXYvJ6c6mahPoI3kaxdjVH8awTaJ/fDNWeSqqqArixMJWkWNN6fcYvPU3HneSANFNYtRi61g==",
        folder="chart.js",
        files={"dist/chart.umd.min.js": "chart.umd.min.js", "LICENSE.md": "LICENSE.md"},
    ),
    Package(
        name="htmx.org",
        version="2.0.11",
        license="0BSD",
        integrity="sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        folder="htmx",
        files={"dist/htmx.min.js": "htmx.min.js", "LICENSE": "LICENSE"},
    ),
    Package(
        name="@fontsource-variable/inter",
        version="5.3.0",
        license="OFL-1.1",
        integrity="sha512-OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA==",
        folder="inter",
        files={
            "files/inter-latin-wght-normal.woff2": "inter-latin-wght-normal.woff2",
            "files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext-wght-normal.woff2",
            "LICENSE": "LICENSE",
        },
    ),
)


def fetch(package: Package, *, folder: Path) -> Path:
    """Download the tarball into `folder` and return its path. Raises `SystemExit` if its hash is another."""
    command = ["npm", "pack", f"{package.name}@{package.version}", "--silent", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (tarball,) = folder.glob("*.tgz")
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    integrity = "sha512-" + base64.b64encode(digest).decode()
    if integrity != package.integrity:
        raise SystemExit(f"{package.name}@{package.version} is not what was recorded. Received: {integrity}")
    return tarball


def unpack(package: Package, *, tarball: Path) -> dict[str, str]:
    """Write the package's files under `static/vendor/`. Returns path → sha256 of each."""
    written = {}
    with tarfile.open(tarball) as archive:

        def read(path: str) -> bytes:
            member = archive.extractfile(f"package/{path}")
            if member is None:
                raise SystemExit(f"{package.name} holds no such file. Received: {path}")
            return member.read()

        contents = {name: SOURCE_MAP.sub(b"", read(path)) for path, name in package.files.items()}
        if package.icons:
            contents["sprite.svg"] = sprite({name: read(f"icons/{name}.svg").decode() for name in package.icons})
    for name, content in contents.items():
        path = VENDOR / package.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written[path.relative_to(VENDOR).as_posix()] = hashlib.sha256(content).hexdigest()
    return written


def sprite(icons: Mapping[str, str]) -> bytes:
    """Join SVG files, name → markup, into one file of symbols. Each has a view box of 16 × 16."""
    symbols = []
    for name, markup in icons.items():
        inner = re.sub(r"^\s*<svg[^>]*>|</svg>\s*$", "", markup).strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 16 16" fill="currentColor">{inner}</symbol>')
    return ('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n").encode()


def vendor() -> None:
    """Fetch and unpack everything, and write `versions.json`."""
    record = []
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            files = unpack(package, tarball=fetch(package, folder=Path(folder)))
        entry = {name: getattr(package, name) for name in ("name", "version", "license", "integrity")}
        record.append({**entry, "files": files})
    VERSIONS.write_text(json.dumps({"packages": record}, indent=2) + "\n")


def check() -> list[str]:
    """Return a sentence for each vendored file that is missing, changed or not recorded."""
    recorded: dict[str, str] = {}
    for entry in json.loads(VERSIONS.read_text())["packages"]:
        recorded |= entry["files"]
    present = {path.relative_to(VENDOR).as_posix(): path for path in VENDOR.rglob("*") if path.is_file()}
    present.pop(VERSIONS.name, None)
    problems = [f"{name} is not recorded in versions.json." for name in sorted(present.keys() - recorded.keys())]
    for name, digest in recorded.items():
        if name not in present:
            problems.append(f"{name} is missing.")
        elif hashlib.sha256(present[name].read_bytes()).hexdigest() != digest:
            problems.append(f"{name} was changed.")
    return problems


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare with versions.json")
    if not parser.parse_args().check:
        vendor()
    problems = check()
    print("\n".join(problems) or "static/vendor/ is as recorded.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
