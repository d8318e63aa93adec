"""Equirectangular cameras: what Cycles shows through them, and what PVD Field shows."""

import math

import bpy
import captures
import numpy as np
import pytest
from mathutils import Euler, Matrix, Vector
from pictures import between_pixels
from small_capture import write_png
from test_render_engine import psnr, rendered

from pvd_blender.errors import SceneError
from pvd_blender.scene import cameras, frame

WHOLE = (160, 80, 160 / (2 * math.pi), 80 / math.pi, 80.0, 40.0)
PART = (150, 60, 40.0, 35.0, 60.0, 42.0)
TURN = [[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]]
COLORS = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def panorama(numbers, **values):
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = TURN, (0.3, -0.7, 1.1)
    view = captures.view("pano", pose, *numbers)
    view["camera"] |= {"distortion_model": "equirectangular", **values}
    return view


def imported(view, tmp_path, place=None):
    capture = captures.capture("pano", [view])
    origin = frame.create_frame(capture)
    if place is not None:
        origin.matrix_world = place
    (item,) = cameras.import_cameras(capture, origin, tmp_path)
    cameras.look_through(bpy.context, item)
    return item, origin


def places(camera, distance=5.0):
    """Three points around a camera, and where longitude and latitude put them in its image."""
    shown = np.array([[0.2, 0.3], [0.55, 0.62], [0.85, 0.4]]) * (camera["width"], camera["height"])
    longitude = (shown[:, 0] - camera["cx"]) / camera["fx"]
    latitude = (camera["cy"] - shown[:, 1]) / camera["fy"]
    across = np.cos(latitude)
    local = np.stack(
        [across * np.sin(longitude), np.sin(latitude), -across * np.cos(longitude)], axis=1
    )
    pose = np.asarray(camera["camera_to_world"])
    return pose[:3, 3] + distance * local @ pose[:3, :3].T, shown


def glowing_ball(place, color, radius):
    bpy.ops.mesh.primitive_uv_sphere_add(radius=radius, location=place)
    material = bpy.data.materials.new("glow")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    glow, out = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    glow.inputs["Color"].default_value = (*color, 1)
    links.new(glow.outputs[0], out.inputs["Surface"])
    bpy.context.object.data.materials.append(material)


def cycles_picture(path):
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    return rendered(path)


def centers(picture):
    """Middle of what is red, green and blue, weighed by how much it is, pixels (3, 2)."""
    y, x = np.indices(picture.shape[:2]) + 0.5
    weights = [(picture[..., i] > 0.5) * picture[..., 3] for i in range(3)]
    return np.array([[(x * w).sum() / w.sum(), (y * w).sum() / w.sum()] for w in weights])


def show_balls(camera, place, tmp_path):
    points, expected = places(camera)
    scale = place.to_scale()[0]
    for point, color in zip(points, COLORS, strict=True):
        glowing_ball(place @ Vector(point), color, 0.25 * scale)
    found = centers(cycles_picture(tmp_path / "balls.png"))
    return np.abs(found - expected).max()


@pytest.mark.parametrize("numbers", [WHOLE, PART], ids=["whole", "part"])
def test_cycles_shows_things_where_the_dataset_camera_has_them(numbers, tmp_path, record_property):
    place = Matrix.LocRotScale(Vector((3, -2, 1)), Euler((0.3, 0.5, -0.9)), Vector((2,) * 3))
    view = panorama(numbers)
    imported(view, tmp_path, place)
    worst = show_balls(view["camera"], place, tmp_path)
    record_property("worst_pixels", float(worst))
    assert worst < 0.7


def test_a_users_panorama_with_ranges_and_shifts_is_read_as_cycles_shows_it(tmp_path):
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 320, 120
    scene.render.resolution_percentage = 50
    scene.render.pixel_aspect_x = 1.5
    data = bpy.data.cameras.new("free")
    data.type, data.panorama_type = "PANO", "EQUIRECTANGULAR"
    data.longitude_min, data.longitude_max = -1.2, 2.4
    data.latitude_min, data.latitude_max = -0.5, 1.1
    data.shift_x, data.shift_y = 0.1, -0.05
    item = bpy.data.objects.new("free", data)
    scene.collection.objects.link(item)
    scene.camera = item
    item.matrix_world = Matrix.LocRotScale(Vector((1, 2, 3)), Euler((1, 0.2, 0.6)), None)
    origin = frame.create_frame(captures.capture("any", []))
    entry = cameras.camera_to_dict(item, scene, origin)
    assert entry["distortion_model"] == "equirectangular"
    assert (entry["width"], entry["height"]) == (160, 60)
    assert show_balls(entry, Matrix.Identity(4), tmp_path) < 0.7


def test_an_unchanged_panorama_gives_back_the_files_numbers_and_a_moved_one_stays_one(tmp_path):
    for numbers in (WHOLE, PART):
        view = panorama(numbers)
        item, origin = imported(view, tmp_path)
        scene = bpy.context.scene
        assert (scene.render.pixel_aspect_x, scene.render.pixel_aspect_y) == (1, 1)
        assert cameras.camera_to_dict(item, scene, origin) == {"name": "pano", **view["camera"]}
        item.location.x += 1
        entry = cameras.camera_to_dict(item, scene, origin)
        assert entry["camera_to_world"][0][3] == pytest.approx(1.3)
        assert entry["distortion_model"] == "equirectangular"
        for key in ("width", "height", "fx", "fy", "cx", "cy"):
            assert entry[key] == pytest.approx(view["camera"][key], rel=1e-5)


def test_a_panoramas_image_is_no_background_of_a_perspective_view(tmp_path):
    write_png(tmp_path / "p.png", np.full((80, 160, 4), 255, np.uint8))
    view = panorama(WHOLE) | {"image_path": str(tmp_path / "p.png")}
    item, _ = imported(view, tmp_path)
    assert not item.data.background_images
    assert cameras.dataset_camera(item)["image_path"] == str(tmp_path / "p.png")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"panorama_type": "FISHEYE_EQUIDISTANT"}, "not equirectangular; set its Panorama Type"),
        ({"longitude_min": 1.0, "longitude_max": 0.5}, "shows nothing"),
    ],
)
def test_other_panoramas_are_refused_in_one_sentence(tmp_path, values, words):
    item, origin = imported(panorama(WHOLE), tmp_path)
    for name, value in values.items():
        setattr(item.data, name, value)
    with pytest.raises(SceneError, match=f"Camera 'pano' .*{words}") as refused:
        cameras.camera_to_dict(item, bpy.context.scene, origin)
    assert str(refused.value).endswith(".")


def test_f12_through_a_panorama_shows_what_a_pinhole_sees(api, trained, tmp_path):
    camera = next(item for item in trained.children if item.type == "CAMERA")
    api.look_through(camera)
    scene = bpy.context.scene
    scene.render.engine, scene.render.film_transparent = "CONVERT_FIELD", True
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.color_mode = "RGBA"
    entry = cameras.camera_to_dict(camera, scene, trained)
    straight = rendered(tmp_path / "straight.png")
    height, width = straight.shape[:2]
    data = bpy.data.cameras.new("around")
    data.type, data.panorama_type = "PANO", "EQUIRECTANGULAR"
    around = bpy.data.objects.new("around", data)
    scene.collection.objects.link(around)
    around.matrix_world = camera.matrix_world
    scene.camera = around
    data.longitude_min, data.longitude_max = -0.6, 0.6
    data.latitude_min, data.latitude_max = -0.6, 0.6
    scene.render.resolution_x = scene.render.resolution_y = 2 * max(width, height)
    bent = rendered(tmp_path / "bent.png")
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = (x - entry["cx"]) / entry["fx"], (entry["cy"] - y) / entry["fy"]
    side = len(bent) / 1.2
    u = (np.arctan(x) + 0.6) * side
    v = (0.6 - np.arctan2(y, np.hypot(x, 1))) * side
    same = between_pixels(bent, u, v)
    assert straight[..., 3].max() > 0.5 > straight[..., 3].min()
    assert psnr(same, straight) > 28


def test_the_depth_of_a_panorama_is_the_distance(add_on):
    from pvd_blender.render.field_picture import blender_depth

    camera = panorama(WHOLE)["camera"]
    picture = np.ones((80, 160, 5), np.float32)
    picture[..., 4] = 3.0
    assert (blender_depth(picture, camera, 2.0) == 6.0).all()
