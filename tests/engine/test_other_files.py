"""What is no capture is told by its content or its name, with what to give instead."""

import io
import json
import zipfile

import numpy as np
import pytest
from capture_files import plain_image, write_image, write_json, write_nerf_synthetic
from capture_files import write_transforms as write_capture
from colmap_files import write_colmap
from format_files import WRITERS, refuse
from safetensors.numpy import save

from pvd_engine.data.formats.other_files import ARCHIVE, OTHER_FILES, other_file
from pvd_engine.fields.header import encode_header


def text(content):
    return json.dumps(content).encode()


def picture(kind):
    stream = io.BytesIO()
    plain_image().save(stream, kind)
    return stream.getvalue()


def archive(name="a.txt"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(name, "a")
    return stream.getvalue()


def ply(*lines):
    return "\n".join(["ply", "format ascii 1.0", *lines, "end_header", ""]).encode()


def arrays():
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


VERTEX = ("element vertex 1", "property float x", "property float y", "property float z")
BY_CONTENT = {
    "a camera path of nerfstudio": text({"camera_path": [], "fps": 24}),
    "a camera path of instant-ngp": text({"loop": False, "path": [{"R": [], "T": []}]}),
    "nerfstudio's transform between": text({"transform": [[1, 0, 0, 0]], "scale": 0.3}),
    "the list of cameras of a Gaussian splat": text(
        [{"id": 0, "img_name": "a", "position": [0] * 3, "rotation": []}]
    ),
    "a capture of sdfstudio": text({"frames": [{"rgb_path": "a.png", "camtoworld": []}]}),
    "a list of cameras without images": text({"cameras": [{"camera_to_world": []}]}),
    "a scan of Record3D": text({"K": [], "poses": [], "fps": 60}),
    "a scene of OpenMVG": text({"sfm_data_version": "0.3", "views": [], "intrinsics": []}),
    "a scene of Meshroom": text({"version": [], "views": [], "intrinsics": [], "poses": []}),
    "a project of Meshroom": text({"header": {}, "graph": {}}),
    "a reconstruction of OpenSfM or ODM": text([{"cameras": {}, "shots": {}, "points": {}}]),
    "the settings of a nerfstudio training": b"!!python/object:nerfstudio.engine.trainer\n",
    "the settings of a Gaussian splat's": b"Namespace(data_device='cuda', source_path='/a')",
    "a scene of Bundler": b"# Bundle file v0.3\n4 12\n",
    "a scene of VisualSFM": b"NVM_V3 \n\n4\n",
    "a file of Metashape's cameras": b"<?xml version='1.0'?>\n<document>\n <chunk label='1'>",
    "the settings of COLMAP": b"log_to_stderr=false\ndatabase_path=/a/database.db\n",
    "a database of COLMAP": b"SQLite format 3\0" + bytes(84),
    "a Gaussian splat; ": ply(*VERTEX, "property float f_dc_0"),
    "a mesh; ": ply(*VERTEX, "element face 1", "property list uchar int vertex_indices"),
    "a point cloud": ply(*VERTEX),
    "a mesh; render": b"glTF\2\0\0\0",
    "a file of Blender": b"BLENDER-v405",
    "a volume": b" BDV\0\0\0\0",
    "a single image; give the folder of the capture": picture("PNG"),
    "a single image": picture("JPEG"),
    "a single image; give the": picture("WEBP"),
    "a video, and images with cameras": b"\0\0\0\x20ftypisom\0\0\2\0",
    "a file of HDF5": b"\x89HDF\r\n\x1a\n",
    "a file of arrays of no known format": arrays(),
    "an archive; unpack": archive(),
}
BY_NAME = {
    "camera_path.json": "a camera path of nerfstudio",
    "dataparser_transforms.json": "nerfstudio's transform",
    "sfm_data.json": "a scene of OpenMVG",
    "cameras.sfm": "a scene of Meshroom",
    "scan.mg": "a project of Meshroom",
    "reconstruction.json": "a reconstruction of OpenSfM",
    "cfg_args": "the settings of a Gaussian splat's",
    "scan.nvm": "a scene of VisualSFM",
    "scan.psx": "a project of Metashape.*COLMAP",
    "scan.rcproj": r"a project of RealityCapture; export .*\.csv",
    "project.ini": "the settings of COLMAP",
    "database.db": "a database of COLMAP, without cameras",
    **dict.fromkeys(("a.splat", "a.ksplat", "a.spz", "a.sog"), "a Gaussian splat; give the folder"),
    "a.ply": "a point cloud",
    **dict.fromkeys(("a.obj", "a.glb", "a.fbx", "a.stl", "a.usdz"), "a mesh; render images of it"),
    "a.blend": "a file of Blender; .*Export Scene",
    "a.vdb": "a volume",
    **dict.fromkeys(("a.ckpt", "a.pth", "a.msgpack", "a.ingp"), "a trained model; give the folder"),
    **dict.fromkeys(("a.jpg", "a.HEIC", "a.dng"), "a single image"),
    **dict.fromkeys(("a.mp4", "a.MOV", "a.insv"), "a video.*ns-process-data video"),
    "a.r3d": "a scan of Record3D",
    "a.h5": "a file of HDF5",
    "a.npz": "a file of arrays of no known format",
    **dict.fromkeys(("a.zip", "a.tar.gz", "a.7z"), "an archive; unpack it"),
}


@pytest.mark.parametrize("what", BY_CONTENT)
def test_a_file_is_told_by_its_content_whatever_its_name(tmp_path, what):
    for name in ("something", "transforms.json"):
        (tmp_path / name).write_bytes(BY_CONTENT[what])
        refuse(tmp_path / name, rf"{name} is .*{what}")
    refuse(tmp_path, rf"transforms\.json is .*{what}")


@pytest.mark.parametrize("name", BY_NAME)
def test_a_file_is_told_by_its_name_where_its_content_tells_nothing(tmp_path, name):
    (tmp_path / name).write_bytes(b"\1\2\3")
    refuse(tmp_path / name, f"{name} is {BY_NAME[name]}")
    if not name.lower().endswith((".jpg", ".heic", "cfg_args")):
        refuse(tmp_path, f"{name} is {BY_NAME[name]}")


def test_archives_inside_are_told_by_what_they_are_outside(tmp_path):
    for name, what in (("a.sog", "splat"), ("a.ckpt", "trained model"), ("a.npz", "arrays")):
        (tmp_path / name).write_bytes(archive())
        refuse(tmp_path / name, what)


def test_every_kind_has_a_case():
    told = " ".join([*BY_CONTENT, *BY_NAME.values(), "a field, which is trained already"])
    for kind in (*OTHER_FILES, ARCHIVE):
        assert kind.what[:14] in told, kind.what


def test_a_field_given_as_capture_is_told(tmp_path):
    path = tmp_path / "lego.safetensors"
    path.write_bytes(save({"a": np.zeros(3, np.float32)}, encode_header({"kind": "hash"})))
    refuse(path, "is a field, which is trained already; give it where a field is asked for")
    (tmp_path / "other.safetensors").write_bytes(save({"a": np.zeros(3, np.float32)}))
    refuse(tmp_path / "other.safetensors", "is a trained model")


FILES = {
    "llff": "poses_bounds.npy",
    "dtu": "cameras_sphere.npz",
    "realitycapture": "cameras.csv",
    "donerf": "dataset_info.json",
}


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_a_file_of_a_capture_that_is_something_else_is_told(tmp_path, name, file):
    WRITERS[name](tmp_path / "in")
    path = tmp_path / "in" / file
    path.write_bytes(picture("PNG"))
    refuse(path, f"{file} is a single image")


def test_a_broken_file_of_the_right_kind_keeps_its_own_message(tmp_path):
    WRITERS["llff"](tmp_path / "llff")
    np.save(tmp_path / "llff" / "poses_bounds.npy", np.zeros((4, 3)))
    refuse(tmp_path / "llff", "rows of 17 numbers")
    WRITERS["dtu"](tmp_path / "dtu")
    (tmp_path / "dtu" / "cameras_sphere.npz").write_bytes(archive())
    refuse(tmp_path / "dtu", "holds 0 arrays world_mat_0")
    write_capture(tmp_path / "broken", 3)
    (tmp_path / "broken" / "transforms.json").write_text('{"frames": [')
    refuse(tmp_path / "broken", "not valid JSON")


def test_an_empty_folder_is_told(tmp_path):
    refuse(tmp_path, "is empty; give the folder of a capture")


def test_a_folder_above_names_the_captures_below(tmp_path):
    write_capture(tmp_path / "data" / "lego" / "v1", 3)
    refuse(tmp_path / "data" / "lego", r"not a capture but holds some \(v1\); give that")
    refuse(tmp_path / "data", r"holds some \(lego/v1\); give that")
    write_capture(tmp_path / "data" / "fox", 3)
    write_capture(tmp_path / "data" / "fern", 3)
    refuse(tmp_path / "data", r"holds some \(fern, fox\); give one of them")


def test_a_folder_within_a_capture_names_the_capture(tmp_path):
    write_capture(tmp_path / "fox", 3)
    refuse(tmp_path / "fox" / "images", r"is a part of the capture .*fox; give .*fox\.")
    write_nerf_synthetic(tmp_path / "lego", {"train": 3})
    refuse(tmp_path / "lego" / "train", r"is a part of the capture .*lego; give .*lego\.")
    WRITERS["polycam"](tmp_path / "scan")
    refuse(
        tmp_path / "scan" / "keyframes" / "cameras", r"part of the capture .*scan; give .*scan\."
    )
    write_colmap(tmp_path / "room")
    refuse(tmp_path / "room" / "images", r"is a part of the capture .*room; give .*room\.")
    picture = tmp_path / "fox" / "images" / "000.png"
    refuse(picture, r"000\.png is a single image; .* \(it lies in the capture .*fox\)\.")


def test_the_folder_of_a_job_is_told(tmp_path):
    for name in ("request.json", "events.jsonl"):
        (tmp_path / name).write_text("{}")
    refuse(tmp_path, "is the folder of a job; give the folder of the capture")


def test_what_a_splats_training_wrote_names_its_source(tmp_path):
    (tmp_path / "cfg_args").write_text("Namespace(sh_degree=3, source_path='/data/garden')")
    write_json(tmp_path / "cameras.json", [{"img_name": "a", "position": [], "rotation": []}])
    refuse(tmp_path, r"a Gaussian splat wrote; .* trained on \(/data/garden\)\.")
    (tmp_path / "cfg_args").write_text("Namespace(source_path='\x1b[2J')")
    refuse(tmp_path, r"a Gaussian splat wrote; give the folder that it was trained on\.")


def test_a_camera_file_of_another_name_is_named(tmp_path):
    write_capture(tmp_path, 3)
    (tmp_path / "transforms.json").rename(tmp_path / "transforms_all.json")
    refuse(tmp_path, r"has its cameras in transforms_all\.json; give .*transforms_all\.json\.")


def test_photos_without_cameras_come_before_other_files(tmp_path):
    write_image(tmp_path / "images" / "a.jpg")
    (tmp_path / "database.db").write_bytes(BY_CONTENT["a database of COLMAP"])
    for folder in (tmp_path, tmp_path / "images"):
        refuse(folder, "images holds photos without cameras.*COLMAP")


def test_no_sentence_is_made_about_what_is_not_known(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert other_file(tmp_path / "notes.txt") is None
    assert other_file(tmp_path / "nowhere.txt") is None
    refuse(tmp_path, r"holds no capture .* docs/datasets\.md")
