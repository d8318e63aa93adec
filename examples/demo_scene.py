"""The demo's scene, built by script: a toy excavator whose bucket can be taken away.

Blender opens it with ``blender --python examples/demo_scene.py``. X points forward, Z up, and
everything lies within about one unit of `CENTER`.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Collection, Material, Object, Scene
from mathutils import Euler, Matrix, Vector

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo_parts import (
    Kit,
    along,
    hazard_stripes,
    paint,
    paving,
    picture,
    printed,
    stadium,
)

CENTER = (0.12, 0.0, 0.52)
RADIUS = 3.5
VIEW_ANGLE = 42.0
ELEVATION = (4.0, 75.0)

ARM = -0.13
"""Middle of boom, stick and bucket on the y axis."""

BUCKET_BOX = ((0.63, ARM - 0.25, 0.05), (1.17, ARM + 0.25, 0.52))
"""Corners of a box that holds the bucket and nothing else."""

SEAM = 0.006
"""Half of the gap between the stick's end and the bucket's bracket, at the top of the box."""


@dataclass(frozen=True)
class Paints:
    """The scene's materials."""

    yellow: Material
    red: Material
    dark: Material
    rubber: Material
    steel: Material
    window: Material
    white: Material
    stripes: Material
    paving: Material

    @classmethod
    def mix(cls) -> "Paints":
        """Make the materials."""
        return cls(
            yellow=paint("Yellow paint", (0.83, 0.41, 0.02), 0.38, coat=0.25),
            red=paint("Red paint", (0.55, 0.035, 0.02), 0.35),
            dark=paint("Dark plastic", (0.055, 0.06, 0.07), 0.55),
            rubber=paint("Rubber", (0.02, 0.02, 0.022), 0.85),
            steel=paint("Steel", (0.62, 0.64, 0.66), 0.22, metallic=1.0),
            window=paint("Window", (0.02, 0.07, 0.12), 0.06, coat=1.0),
            white=paint("White paint", (0.8, 0.8, 0.78), 0.5),
            stripes=printed("Hazard stripes", picture("stripes", hazard_stripes()), 0.5),
            paving=printed("Paving", picture("paving", paving()), 0.9),
        )


def bucket_box() -> np.ndarray:
    """Return the 4x4 matrix from [-1, 1]^3 to a box that holds the bucket and nothing else."""
    low, high = np.array(BUCKET_BOX)
    matrix = np.diag([*((high - low) / 2), 1.0])
    matrix[:3, 3] = (low + high) / 2
    return matrix


def build_scene() -> Scene:
    """Build the scene in a new, empty file's scene and return it.

    The bucket is in the collection `Bucket`, everything else in `Excavator`, the lights in
    `Lights`; `show_bucket` takes the bucket out of renders.
    """
    scene = bpy.context.scene
    build_excavator(scene, Paints.mix())
    light(scene)
    return scene


def build_excavator(scene: Scene, paints: Paints) -> list[Object]:
    """Build the machine in two new collections of a scene and return its objects."""
    machine, bucket = (_collection(scene, name) for name in ("Excavator", "Bucket"))
    kit = Kit(machine)
    _ground(kit, paints)
    for side in (-1, 1):
        _track(kit, paints, side * 0.31)
    _body(kit, paints)
    _cabin(kit, paints)
    _boom(kit, paints)
    _stick(kit, paints)
    _bucket(Kit(bucket), paints)
    bpy.context.view_layer.update()
    return [*machine.objects, *bucket.objects]


def light(scene: Scene) -> None:
    """Add sky and sun, and set up Cycles."""
    _lights(scene, _collection(scene, "Lights"))
    _render_quickly(scene)
    bpy.context.view_layer.update()


def _render_quickly(scene: Scene) -> None:
    """Set few bounces and adaptive samples, for many small pictures on a small CPU."""
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 3
    cycles.use_adaptive_sampling, cycles.adaptive_threshold = True, 0.02
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.blur_glossy = 0.5


def show_bucket(visible: bool) -> None:
    """Show or hide the bucket in renders and in the viewport."""
    bucket = bpy.data.collections["Bucket"]
    bucket.hide_render = bucket.hide_viewport = not visible


def _collection(scene: Scene, name: str) -> Collection:
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    return collection


def _ground(kit: Kit, paints: Paints) -> None:
    kit.box("Ground", (-0.86, -0.58, 0.0), (0.56, 0.58, 0.07), paints.paving, 0.012)


def _track(kit: Kit, paints: Paints, middle: float) -> None:
    center, half, radius = (-0.12, 0.225), 0.31, 0.125
    low, high = middle - 0.09, middle + 0.09
    outline = stadium(center, half, radius)
    kit.slab("Track", outline, low, high, paints.rubber, 0.012)
    for x, z, angle in along(stadium(center, half, radius + 0.012), 34):
        tread = kit.box(
            "Tread", (-0.018, low - 0.01, -0.014), (0.018, high + 0.01, 0.014), paints.rubber
        )
        tread.location = (x, 0, z)
        tread.rotation_euler = (0, -angle, 0)
    outer = 1 if middle > 0 else -1
    for index in range(4):
        x = center[0] + (index / 1.5 - 1) * half
        size = 0.09 if index in (0, 3) else 0.07
        face = middle + outer * 0.105
        kit.cylinder("Wheel", (x, middle, 0.22), (x, face, 0.22), size, paints.yellow, 0.01)
        kit.cylinder("Hub", (x, middle, 0.22), (x, face + outer * 0.02, 0.22), 0.028, paints.steel)


def _body(kit: Kit, paints: Paints) -> None:
    kit.box("Undercarriage", (-0.36, -0.24, 0.16), (0.12, 0.24, 0.31), paints.dark, 0.02)
    kit.cylinder("Turntable", (-0.14, 0, 0.3), (-0.14, 0, 0.43), 0.2, paints.steel)
    kit.box("Deck", (-0.6, -0.36, 0.41), (0.24, 0.36, 0.48), paints.dark, 0.025)
    roof = [(-0.6, 0.47), (-0.08, 0.47), (-0.08, 0.7), (-0.14, 0.76), (-0.52, 0.76), (-0.6, 0.66)]
    kit.slab("Engine housing", roof, -0.34, 0.34, paints.yellow, 0.022)
    kit.box("Counterweight", (-0.72, -0.3, 0.43), (-0.585, 0.3, 0.66), paints.stripes, 0.03)
    for index in range(5):
        z = 0.53 + 0.035 * index
        kit.box("Vent", (-0.5, 0.335, z), (-0.3, 0.35, z + 0.016), paints.dark)
    kit.cylinder("Exhaust", (-0.42, -0.2, 0.74), (-0.42, -0.2, 0.92), 0.03, paints.steel)
    kit.cylinder("Exhaust cap", (-0.42, -0.2, 0.92), (-0.42, -0.2, 0.945), 0.04, paints.dark)
    kit.box("Toolbox", (-0.06, -0.35, 0.47), (0.0, -0.24, 0.56), paints.red, 0.012)
    for y in (-0.3, 0.3):
        kit.cylinder("Rear light", (-0.605, y, 0.715), (-0.59, y, 0.715), 0.022, paints.red)
    side = (
        Matrix.Translation(Vector((-0.33, -0.341, 0.6)))
        @ Euler((math.pi / 2, 0, 0)).to_matrix().to_4x4()
    )
    kit.words("PVD", 0.17, side, paints.white)


def _cabin(kit: Kit, paints: Paints) -> None:
    low, high = 0.03, 0.35
    shell = [(-0.06, 0.48), (0.23, 0.48), (0.25, 0.7), (0.19, 0.97), (-0.06, 0.97)]
    kit.slab("Cabin", shell, low, high, paints.yellow, 0.016)
    roof = [(-0.1, 0.97), (0.24, 0.97), (0.24, 1.0), (0.2, 1.02), (-0.1, 1.02)]
    kit.slab("Cabin roof", roof, low - 0.02, high + 0.02, paints.dark, 0.01)
    pane = [(-0.025, 0.67), (0.205, 0.67), (0.21, 0.71), (0.165, 0.935), (-0.025, 0.935)]
    kit.slab("Left window", pane, high - 0.005, high + 0.008, paints.window)
    kit.slab("Right window", pane, low - 0.008, low + 0.005, paints.window)
    front = [(0.235, 0.7), (0.262, 0.705), (0.211, 0.945), (0.19, 0.94)]
    kit.slab("Windscreen", front, low + 0.035, high - 0.035, paints.window)
    kit.box("Rear window", (-0.072, low + 0.04, 0.8), (-0.05, high - 0.04, 0.93), paints.window)
    kit.box("Door handle", (0.13, high, 0.6), (0.19, high + 0.02, 0.62), paints.dark)
    for y in (low + 0.04, high - 0.04):
        kit.box("Lamp", (0.2, y - 0.025, 1.02), (0.245, y + 0.025, 1.06), paints.white, 0.008)


def _boom(kit: Kit, paints: Paints) -> None:
    low, high = ARM - 0.06, ARM + 0.06
    kit.box("Boom bracket", (0.06, low - 0.05, 0.46), (0.22, high + 0.03, 0.56), paints.dark, 0.015)
    outline = [
        (0.1, 0.5), (0.2, 0.52), (0.44, 1.0), (0.65, 1.04),
        (0.67, 1.1), (0.62, 1.14), (0.38, 1.13), (0.3, 1.06),
    ]  # fmt: skip
    kit.slab("Boom", outline, low, high, paints.yellow, 0.014)
    for x, z in ((0.15, 0.545), (0.63, 1.09)):
        pins = (x, low - 0.025, z), (x, high + 0.025, z)
        kit.cylinder("Pin", *pins, 0.03, paints.steel)
    for y in (low - 0.035, high + 0.035):
        kit.cylinder("Boom barrel", (0.25, y, 0.5), (0.36, y, 0.72), 0.026, paints.dark)
        kit.cylinder("Boom rod", (0.36, y, 0.72), (0.44, y, 0.9), 0.015, paints.steel)
        kit.cylinder(
            "Boom eye", (0.44, low - 0.05, 0.9), (0.44, high + 0.05, 0.9), 0.022, paints.steel
        )


def _stick(kit: Kit, paints: Paints) -> None:
    low, high = ARM - 0.045, ARM + 0.045
    end = BUCKET_BOX[1][2] + SEAM
    outline = [
        (0.88, end), (0.95, end), (0.95, 0.6), (0.74, 1.12), (0.68, 1.2), (0.62, 1.18), (0.6, 1.07),
    ]  # fmt: skip
    kit.slab("Stick", outline, low, high, paints.yellow, 0.012)
    kit.cylinder("Stick barrel", (0.36, ARM, 1.17), (0.53, ARM, 1.2), 0.026, paints.dark)
    kit.cylinder("Stick rod", (0.53, ARM, 1.2), (0.66, ARM, 1.18), 0.015, paints.steel)
    kit.box("Stick lug", (0.33, ARM - 0.03, 1.1), (0.38, ARM + 0.03, 1.19), paints.dark, 0.008)
    kit.cylinder("Bucket barrel", (0.84, ARM, 1.02), (0.93, ARM, 0.8), 0.024, paints.dark)
    kit.cylinder("Bucket rod", (0.93, ARM, 0.8), (0.965, ARM, 0.66), 0.014, paints.steel)
    kit.cylinder(
        "Stick pin", (0.93, low - 0.03, 0.62), (0.93, high + 0.03, 0.62), 0.03, paints.steel
    )


def _bucket(kit: Kit, paints: Paints) -> None:
    """Build the bucket, which opens towards the machine, with its bracket just below the stick."""
    center, radius, wall = Vector((0.9, 0.285)), 0.175, 0.022
    low, high = ARM - 0.19, ARM + 0.19
    angles = [math.radians(a) for a in range(-105, 106, 10)]

    def arc(size: float) -> list[tuple[float, float]]:
        return [
            (center.x + size * 1.15 * math.cos(a), center.y + size * math.sin(a)) for a in angles
        ]

    inner = arc(radius - wall)
    kit.slab("Bucket shell", arc(radius) + inner[::-1], low, high, paints.red)
    for y in (low, high):
        kit.slab("Bucket cheek", arc(radius + 0.006), y - 0.012, y + 0.012, paints.red, 0.004)
    lip = arc(radius)[0]
    for index in range(5):
        y = low + 0.012 + index * (high - low - 0.074) / 4
        tooth = [
            (lip[0] + 0.03, lip[1] - 0.006),
            (lip[0] + 0.03, lip[1] + 0.03),
            (lip[0] - 0.09, lip[1] + 0.012),
        ]
        kit.slab("Bucket tooth", tooth, y, y + 0.05, paints.steel)
    top = BUCKET_BOX[1][2] - SEAM
    bracket = [(0.85, 0.44), (0.99, 0.44), (0.95, top), (0.88, top)]
    kit.slab("Bucket bracket", bracket, ARM - 0.045, ARM + 0.045, paints.dark, 0.008)


def _lights(scene: Scene, collection: Collection) -> None:
    """Add a bright sky, and a soft sun behind the machine: the bucket shades no other part."""
    world = bpy.data.worlds.new("Sky")
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    background = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.8, 0.9, 1.0, 1.0)
    background.inputs["Strength"].default_value = 0.55
    scene.world = world
    sun = bpy.data.lights.new("Sun", "SUN")
    sun.energy, sun.angle, sun.color = 2.6, math.radians(20), (1.0, 0.94, 0.85)
    item = bpy.data.objects.new("Sun", sun)
    item.rotation_euler = Euler((math.radians(38), math.radians(-24), 0))
    collection.objects.link(item)


if __name__ == "__main__":
    bpy.ops.wm.read_homefile(use_empty=True)
    build_scene()
    if "--save" in sys.argv:
        target = Path(sys.argv[sys.argv.index("--save") + 1]).resolve()
        bpy.ops.wm.save_as_mainfile(filepath=str(target))
