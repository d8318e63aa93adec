"""The imports of a package, file by file, and the layers that its folders form."""

import ast
from dataclasses import dataclass
from pathlib import Path

ENGINE = (
    ("__main__", "cli", "bench"),
    ("verbs",),
    ("distill",),
    ("train",),
    ("measure",),
    ("render",),
    ("exchange",),
    ("edit",),
    ("fields",),
    ("space",),
    ("data",),
    ("jobs",),
    ("kernels",),
    ("files",),
    ("process_setup", "errors", ""),
)
"""Folders and modules of the engine, the highest layer first; "" is the package itself."""

ADD_ON = (
    ("registration", ""),
    ("ui",),
    ("api",),
    ("export",),
    ("render",),
    ("jobs",),
    ("preferences",),
    ("state",),
    ("volume", "splats"),
    ("scene",),
    ("engine",),
    ("errors", "version"),
    ("texts",),
)
"""The same of the add-on."""


@dataclass(frozen=True)
class Import:
    """One import: the module that imports, and the dotted name that it imports."""

    importer: str
    imported: str


def imports_of(package: Path) -> list[Import]:
    """All imports of a package's files, those within functions among them.

    A relative import is resolved; what is imported from a module is the module, unless it is a
    module itself.
    """
    root = package.parent
    found = []
    for path in sorted(package.rglob("*.py")):
        importer = _module(path, root)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [Import(importer, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = _base(importer, path.name == "__init__.py", node)
                for alias in node.names:
                    module = f"{base}.{alias.name}"
                    found.append(Import(importer, module if _exists(module, root) else base))
    return found


def layer_of(module: str, layers: tuple[tuple[str, ...], ...]) -> int:
    """The number of a module's layer, from the highest; raises ValueError where it has none."""
    place = module.split(".")[1] if "." in module else ""
    for number, names in enumerate(layers):
        if place in names:
            return number
    raise ValueError(f"{module} belongs to no layer")


def upward(package: Path, layers: tuple[tuple[str, ...], ...]) -> list[Import]:
    """The imports within a package that go from a layer to a higher one."""
    inner = [one for one in imports_of(package) if _inside(one.imported, package)]
    return [one for one in inner if layer_of(one.imported, layers) < layer_of(one.importer, layers)]


def graph(package: Path) -> dict[str, set[str]]:
    """For each module of a package, the modules of the same package that it imports."""
    edges: dict[str, set[str]] = {}
    for one in imports_of(package):
        if _inside(one.imported, package) and one.imported != one.importer:
            edges.setdefault(one.importer, set()).add(one.imported)
    return edges


def _inside(module: str, package: Path) -> bool:
    return module.split(".")[0] == package.name


def _module(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _base(importer: str, is_package: bool, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    parts = importer.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _exists(module: str, root: Path) -> bool:
    path = root.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
