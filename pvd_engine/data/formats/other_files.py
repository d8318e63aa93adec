"""Files that people take for captures, told by what they are: by their content, else their name.

A ``transforms.json`` that is a picture is a picture. What the content does not tell, as of formats
that are archives inside, is told by the name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files.file_input import opened
from ...files.images import SUFFIXES, UNREAD_SUFFIXES
from ...files.json_input import read_json

HEAD_BYTES = 4096
"""Bytes of a file that tell what it is."""

MOST_BYTES = 16 * 1024 * 1024
"""Largest JSON file that is opened to tell what it is."""

_TRAINED = "give the folder of images and cameras that it was trained on"
_SPLATS = f"{_TRAINED}, or make a field of it with pvd import"
_MADE = "give the folder of images and cameras that it was made from"
_CONVERT = (
    "convert it with nerfstudio's ns-process-data, or export for COLMAP, and give that folder"
)
_RENDER = "render images of it with Export Scene in Blender, and give the folder that this writes"
_MAP = "let COLMAP find the cameras, and give the folder of its model (sparse/0)"


@dataclass(frozen=True)
class OtherFile:
    """A kind of file that is no capture.

    Attributes
    ----------
    what : str
        What it is, with its article.
    instead : str
        What to do.
    called : str
        Its names and endings (``.obj``), in lower case.
    starts : tuple of bytes
        The first bytes, one of which it begins with.
    holds : bytes
        Further bytes that its head holds.
    keys : str
        Keys of the object that a JSON file holds, or of the first object of its list.
    in_list : str or None
        Key of that list; ``""`` where the file itself is the list.
    """

    what: str
    instead: str
    called: str = ""
    starts: tuple[bytes, ...] = ()
    holds: bytes = b""
    keys: str = ""
    in_list: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Whole names."""
        return tuple(word for word in self.called.split() if not word.startswith("."))

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of names."""
        return tuple(word for word in self.called.split() if word.startswith("."))


_OF_PROGRAMS = (
    OtherFile("a camera path of nerfstudio", _TRAINED, "camera_path.json", keys="camera_path"),
    OtherFile("a camera path of instant-ngp", _TRAINED, "base_cam.json", keys="path loop"),
    OtherFile(
        "nerfstudio's transform between a capture and its training",
        _TRAINED,
        "dataparser_transforms.json",
        keys="transform scale",
    ),
    OtherFile(
        "the list of cameras of a Gaussian splat's training",
        "give the COLMAP folder that it was trained on",
        keys="img_name position rotation",
        in_list="",
    ),
    OtherFile(
        "a capture of sdfstudio, which cannot be read",
        _MADE,
        "meta_data.json",
        keys="rgb_path camtoworld",
        in_list="frames",
    ),
    OtherFile(
        "a list of cameras without images, as pvd render --cameras takes",
        "give the folder of a capture",
        keys="camera_to_world",
        in_list="cameras",
    ),
    OtherFile("a scan of Record3D", _CONVERT, ".r3d", keys="poses K"),
    OtherFile("a scene of OpenMVG", _CONVERT, "sfm_data.json", keys="sfm_data_version views"),
    OtherFile("a scene of Meshroom", _CONVERT, ".sfm", keys="views intrinsics"),
    OtherFile("a project of Meshroom", _CONVERT, ".mg", keys="header graph"),
    OtherFile(
        "a reconstruction of OpenSfM or ODM",
        _CONVERT,
        "reconstruction.json",
        keys="cameras shots",
        in_list="",
    ),
    OtherFile(
        "the settings of a nerfstudio training", _TRAINED, starts=(b"!!python/object:nerfstudio",)
    ),
    OtherFile(
        "the settings of a Gaussian splat's training", _TRAINED, "cfg_args", (b"Namespace(",)
    ),
    OtherFile("a scene of Bundler", _CONVERT, "bundle.out", (b"# Bundle file",)),
    OtherFile("a scene of VisualSFM", _CONVERT, ".nvm", (b"NVM_V3",)),
    OtherFile(
        "a file of Metashape's cameras", _CONVERT, starts=(b"<?xml", b"<document"), holds=b"<chunk"
    ),
    OtherFile("a project of Metashape", _CONVERT, ".psx .psz"),
    OtherFile(
        "a project of RealityCapture",
        "export internal/external camera parameters, and give that .csv",
        ".rcproj .rsproj",
    ),
    OtherFile("the settings of COLMAP", _MAP, "project.ini", (b"log_to_stderr", b"database_path")),
    OtherFile(
        "a database of COLMAP, without cameras", _MAP, "database.db", (b"SQLite format 3\0",)
    ),
)

_SCENES = (
    OtherFile("a Gaussian splat", _SPLATS, ".splat .ksplat .spz .sog", (b"ply",), holds=b"f_dc_0"),
    OtherFile(
        "a mesh",
        _RENDER,
        ".obj .mtl .glb .gltf .fbx .stl .dae .abc .usd .usdc .usda .usdz",
        (b"glTF", b"Kaydara FBX", b"solid ", b"PXR-USDC", b"#usda"),
    ),
    OtherFile("a mesh", _RENDER, starts=(b"ply",), holds=b"element face"),
    OtherFile("a point cloud", _MADE, ".ply .las .laz .e57 .pcd .xyz", (b"ply",)),
    OtherFile(
        "a file of Blender",
        "open it, and write a capture with Export Scene",
        ".blend",
        (b"BLENDER",),
    ),
    OtherFile("a volume", _RENDER, ".vdb", (b"BDV",)),
    OtherFile(
        "a field, which is trained already",
        "give it where a field is asked for; here give the folder of a capture",
        holds=b'"pvd_field"',
    ),
    OtherFile(
        "a trained model",
        _TRAINED,
        ".ckpt .pth .pt .msgpack .ingp .safetensors .onnx .pkl",
    ),
)

_PICTURES_AND_CONTAINERS = (
    OtherFile(
        "a single image",
        "give the folder of the capture, which holds images and cameras",
        " ".join((*SUFFIXES, *UNREAD_SUFFIXES)),
        (
            b"\x89PNG",
            b"\xff\xd8\xff",
            b"GIF8",
            b"BM",
            b"II*\0",
            b"MM\0*",
            b"v/1\x01",
            b"#?RADIANCE",
        ),
    ),
    OtherFile(
        "a video, and images with cameras are needed",
        "make them with nerfstudio's ns-process-data video, and give that folder",
        ".mp4 .mov .avi .mkv .webm .m4v .mpg .mts .insv .360",
        (b"\x1aE\xdf\xa3",),
    ),
    OtherFile("a file of HDF5, which cannot be read", _MADE, ".h5 .hdf5", (b"\x89HDF",)),
    OtherFile(
        "a file of arrays of no known format",
        "give the folder of a capture, such as LLFF's with poses_bounds.npy",
        ".npy .npz",
        (b"\x93NUMPY",),
    ),
)

ARCHIVE = OtherFile(
    "an archive",
    "unpack it, and give the folder",
    ".zip .tar .gz .tgz .7z .rar .bz2 .xz .zst",
    (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"(\xb5/\xfd"),
)
"""What other formats are inside too, which their names tell."""

OTHER_FILES = (*_OF_PROGRAMS, *_SCENES, *_PICTURES_AND_CONTAINERS)
"""The other kinds of files, the most particular first."""


def other_file(path: Path, expected: bool = False) -> str | None:
    """Return a sentence about a file that is known but is no capture, or None.

    Parameters
    ----------
    path : Path
    expected : bool
        The name is one of a capture's files, so its ending tells nothing, and content that fits
        the ending is not told.
    """
    try:
        with opened(path) as file:
            head = file.read(HEAD_BYTES)
    except UserError:
        return None
    name = path.name.lower()
    kind = _by_content(path, head) or _by_name(name, with_endings=not expected)
    if kind is None and _has_bytes(head, ARCHIVE):
        kind = None if name.endswith(".npz") and expected else ARCHIVE
    if kind is None or (expected and name.endswith(kind.endings)):
        return None
    return f"{path} is {kind.what}; {kind.instead}."


def _by_content(path: Path, head: bytes) -> OtherFile | None:
    content = _json(path, head)
    for kind in OTHER_FILES:
        if (kind.keys and _has_keys(content, kind)) or _has_bytes(head, kind):
            return kind
    # ISO media and RIFF are videos, or images of HEIC, AVIF and WebP.
    if head[4:8] == b"ftyp" or head[:4] == b"RIFF":
        image = head[8:12] in (b"heic", b"heix", b"mif1", b"avif", b"WEBP")
        return next(kind for kind in OTHER_FILES if (".avif" if image else ".mp4") in kind.endings)
    return None


def _by_name(name: str, with_endings: bool) -> OtherFile | None:
    for kind in (*OTHER_FILES, ARCHIVE):
        if name in kind.names or (with_endings and name.endswith(kind.endings)):
            return kind
    return None


def _has_bytes(head: bytes, kind: OtherFile) -> bool:
    if not kind.starts and not kind.holds:
        return False
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return (not kind.starts or start.startswith(kind.starts)) and kind.holds in head


def _has_keys(content: Any, kind: OtherFile) -> bool:
    if kind.in_list:
        content = content.get(kind.in_list) if isinstance(content, Mapping) else None
    if kind.in_list is not None:
        content = content[0] if isinstance(content, list) and content else None
    return isinstance(content, Mapping) and content.keys() >= {*kind.keys.split()}


def _json(path: Path, head: bytes) -> Any:
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return None
    try:
        return read_json(path, MOST_BYTES)
    except UserError:
        return None
