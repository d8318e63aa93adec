"""Build the extension zip, check it with Blender's own validator, and say where it is.

    python build_addon.py --out dist

The zip holds the manifest, the files of ``pvd_blender/`` and, in ``engine_sources/``, those of
``pvd_engine/`` with a list of the libraries that they need. The same tree gives the same bytes.
Where a ``bpy`` package is at hand (in this Python, or named by ``--blender-python``), its
``blender_ext.py`` validates the zip and builds the same file list from the unpacked sources;
without one the check is left out, with a sentence.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ADD_ON = "pvd_blender"
ENGINE = "pvd_engine"
BUNDLE = "engine_sources"
MANIFEST = "blender_manifest.toml"
SUFFIXES = (".py", ".toml", ".json", ".md")
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold; every file gets it."""

FILE_MODE = 0o100644 << 16
VALIDATOR = "scripts/addons_core/bl_pkg/cli/blender_ext.py"
TAGS = "scripts/modules/_bpy_internal/extensions/tags.py"


def addon_files(root: Path = ROOT) -> dict[str, bytes]:
    """Return the zip's files by name, sorted."""
    files = {name: path.read_bytes() for name, path in _sources(root / ADD_ON)}
    for name, path in _sources(root / ENGINE):
        files[f"{BUNDLE}/{ENGINE}/{name}"] = path.read_bytes()
    files[f"{BUNDLE}/requirements.txt"] = requirements(root).encode()
    for name in (MANIFEST, "LICENSE"):
        files[name] = (root / name).read_bytes()
    return dict(sorted(files.items()))


def _sources(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix(), path


def requirements(root: Path = ROOT) -> str:
    """Return the engine's libraries as a ``requirements.txt``: those of ``pyproject.toml``."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    libraries = [*project["dependencies"], *project["optional-dependencies"]["fast"]]
    return "".join(f"{library}\n" for library in libraries)


def zip_name(root: Path = ROOT) -> str:
    """Return ``<id>-<version>.zip``, as Blender names extensions."""
    manifest = tomllib.loads((root / MANIFEST).read_text(encoding="utf-8"))
    return f"{manifest['id']}-{manifest['version']}.zip"


def build(out: Path, root: Path = ROOT) -> Path:
    """Write the zip into a folder and return its path."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / zip_name(root)
    temporary = target.with_name(f"{target.name}.part")
    with zipfile.ZipFile(temporary, "w") as archive:
        for name, content in addon_files(root).items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.external_attr = FILE_MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            archive.writestr(entry, content, compresslevel=9)
    temporary.replace(target)
    return target


def find_validator(python: str | None) -> Path | None:
    """Return Blender's ``blender_ext.py``.

    Parameters
    ----------
    python : str or None
        A Python that has the ``bpy`` package; None looks in this one.

    Raises
    ------
    SystemExit
        When a Python was named and has no ``bpy``.
    """
    if python is None:
        spec = find_spec("bpy")
        package = Path(spec.origin).parent if spec and spec.origin else None
    else:
        question = "import importlib.util as u; print(u.find_spec('bpy').origin)"
        answer = subprocess.run(
            [python, "-c", question], capture_output=True, text=True, check=False
        )
        if answer.returncode:
            raise SystemExit(f"{python} has no bpy package; name one that has.")
        package = Path(answer.stdout.strip()).parent
    if package is None:
        return None
    return next(iter(sorted(_blender_folder(package).glob(f"*/{VALIDATOR}"))), None)


def _blender_folder(package: Path) -> Path:
    """Return the folder that holds ``4.5/`` and the like; the package lies in it or is it."""
    while package != package.parent and not any(package.glob(f"*/{VALIDATOR}")):
        package = package.parent
    return package


def check(archive: Path, validator: Path) -> None:
    """Validate the zip with Blender's tags, and have Blender build one from the same sources.

    Raises
    ------
    SystemExit
        When Blender refuses it, or its zip holds other files.
    """
    tags = validator.parents[len(Path(VALIDATOR).parts) - 1] / TAGS
    tag_arguments = [f"--valid-tags={tags}"] if tags.is_file() else []
    _blender_ext(validator, "validate", *tag_arguments, str(archive))
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "sources"
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(sources)
        rebuilt = Path(folder) / "rebuilt.zip"
        _blender_ext(
            validator, "build", *tag_arguments,
            f"--source-dir={sources}", f"--output-filepath={rebuilt}",
        )  # fmt: skip
        if _contents(rebuilt) != _contents(archive):
            raise SystemExit("Blender builds other contents than this script; see its manifest.")


def _contents(archive: Path) -> dict[str, int]:
    with zipfile.ZipFile(archive) as opened:
        return {item.filename: item.CRC for item in opened.infolist() if not item.is_dir()}


def _blender_ext(validator: Path, *arguments: str) -> None:
    command = [sys.executable, str(validator), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(f"Blender refuses the extension:\n{answer.stdout}{answer.stderr}")


def main() -> None:
    """Build, check, and print the zip's path."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zip")
    parser.add_argument("--blender-python", help="Python with a bpy package, for the check")
    values = parser.parse_args()
    archive = build(values.out)
    validator = find_validator(values.blender_python)
    if validator is None:
        print("Not checked: this Python has no bpy package; name one with --blender-python.")
    else:
        check(archive, validator)
        print(f"Blender's validator and builder accept it ({validator.parents[4].name}).")
    print(archive)


if __name__ == "__main__":
    main()
