"""Building blocks of the demo's scene: solids, materials and pictures made by script."""

import math
from collections.abc import Sequence

import bmesh
import bpy
import numpy as np
from bpy.types import Collection, Image, Material, Object
from mathutils import Matrix, Vector

Profile = Sequence[tuple[float, float]]


def paint(
    name: str,
    color: tuple[float, float, float],
    roughness: float,
    metallic: float = 0.0,
    coat: float = 0.0,
) -> Material:
    """Make a Principled material of one colour (linear)."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    shader = _principled(material)
    shader.inputs["Base Color"].default_value = (*color, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic
    shader.inputs["Coat Weight"].default_value = coat
    material.diffuse_color = (*color, 1.0)
    return material


def printed(name: str, image: Image, roughness: float) -> Material:
    """Make a Principled material whose colour is an image, repeated over the UV map."""
    material = paint(name, (1.0, 1.0, 1.0), roughness)
    tree = material.node_tree
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    tree.links.new(texture.outputs["Color"], _principled(material).inputs["Base Color"])
    return material


def _principled(material: Material) -> bpy.types.Node:
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")


def picture(name: str, pixels: np.ndarray) -> Image:
    """Make an image of (H, W, 3) sRGB values in [0, 1], packed into the .blend file."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height)
    rgba = np.ones((height, width, 4), dtype=np.float32)
    rgba[..., :3] = pixels
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return image


def hazard_stripes(size: int = 256, stripes: int = 5) -> np.ndarray:
    """Return diagonal stripes, black on yellow, that repeat without a seam."""
    y, x = np.mgrid[0:size, 0:size] / size
    dark = ((x + y) * stripes) % 1.0 < 0.5
    return np.where(dark[..., None], (0.06, 0.06, 0.07), (0.98, 0.76, 0.08))


def paving(size: int = 256, rows: int = 8, seed: int = 3) -> np.ndarray:
    """Return paving stones in running bond, in different shades, with joints and a little grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size * rows
    row = y.astype(int)
    along = (x + 0.5 * (row % 2)) / 2
    stone = along.astype(int) % (rows // 2)
    shade = rng.uniform(0.62, 1.0, (rows, rows // 2))
    warmth = rng.uniform(-0.05, 0.05, (rows, rows // 2))
    joint = np.minimum(y % 1, 1 - y % 1) < 0.06
    joint |= np.minimum(along % 1, 1 - along % 1) < 0.03
    tone = shade[row, stone] * rng.uniform(0.94, 1.0, (size, size))
    color = np.stack([tone * (0.66 + warmth[row, stone]), tone * 0.62, tone * 0.57], axis=-1)
    color[joint] = (0.25, 0.24, 0.23)
    return np.clip(color, 0, 1)


class Kit:
    """Builder of solids in one collection.

    Parameters
    ----------
    collection : Collection
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection

    def solid(self, name: str, form: bmesh.types.BMesh, material: Material) -> Object:
        """Make an object of a mesh under construction, with a box-projected UV map."""
        _box_uv(form)
        mesh = bpy.data.meshes.new(name)
        form.to_mesh(mesh)
        form.free()
        mesh.materials.append(material)
        item = bpy.data.objects.new(name, mesh)
        self.collection.objects.link(item)
        return item

    def box(
        self,
        name: str,
        low: tuple[float, float, float],
        high: tuple[float, float, float],
        material: Material,
        bevel: float = 0.0,
    ) -> Object:
        """Add a box from corner to corner, its edges rounded by `bevel`."""
        form = bmesh.new()
        bmesh.ops.create_cube(form, size=1.0)
        for vertex in form.verts:
            for axis in range(3):
                vertex.co[axis] = low[axis] if vertex.co[axis] < 0 else high[axis]
        _round(form, bevel)
        return self.solid(name, form, material)

    def cylinder(
        self,
        name: str,
        start: tuple[float, float, float],
        end: tuple[float, float, float],
        radius: float,
        material: Material,
        bevel: float = 0.0,
    ) -> Object:
        """Add a cylinder around the line between two points."""
        form = bmesh.new()
        axis = Vector(end) - Vector(start)
        turn = axis.to_track_quat("Z", "Y").to_matrix().to_4x4()
        bmesh.ops.create_cone(
            form,
            cap_ends=True,
            segments=32,
            radius1=radius,
            radius2=radius,
            depth=axis.length,
            matrix=Matrix.Translation((Vector(start) + Vector(end)) / 2) @ turn,
        )
        if bevel:
            rims = [e for e in form.edges if any(len(f.verts) > 4 for f in e.link_faces)]
            bmesh.ops.bevel(form, geom=rims, offset=bevel, segments=2, affect="EDGES")
        for face in form.faces:
            face.smooth = len(face.verts) == 4 and not bevel
        return self.solid(name, form, material)

    def slab(
        self,
        name: str,
        profile: Profile,
        low: float,
        high: float,
        material: Material,
        bevel: float = 0.0,
    ) -> Object:
        """Add a side view (x, z) given anticlockwise, stretched from y = low to y = high."""
        form = bmesh.new()
        face = form.faces.new([form.verts.new((x, low, z)) for x, z in profile])
        grown = bmesh.ops.extrude_face_region(form, geom=[face])["geom"]
        for vertex in (v for v in grown if isinstance(v, bmesh.types.BMVert)):
            vertex.co.y = high
        bmesh.ops.recalc_face_normals(form, faces=form.faces)
        _round(form, bevel)
        return self.solid(name, form, material)

    def words(
        self, text: str, size: float, place: Matrix, material: Material, depth: float = 0.004
    ) -> Object:
        """Add raised lettering whose baseline's middle lies at `place`."""
        curve = bpy.data.curves.new(text, "FONT")
        curve.body, curve.size, curve.extrude = text, size, depth
        curve.align_x, curve.align_y = "CENTER", "CENTER"
        curve.materials.append(material)
        item = bpy.data.objects.new(text, curve)
        item.matrix_world = place
        self.collection.objects.link(item)
        return item


def _round(form: bmesh.types.BMesh, bevel: float) -> None:
    if bevel:
        sharp = [e for e in form.edges if e.calc_face_angle(0.0) > math.radians(25)]
        bmesh.ops.bevel(
            form, geom=sharp, offset=bevel, segments=2, affect="EDGES", clamp_overlap=True
        )


def _box_uv(form: bmesh.types.BMesh) -> None:
    """Project the UV map along each face's main axis, one unit of space for one of the image."""
    layer = form.loops.layers.uv.new("UVMap")
    form.normal_update()
    for face in form.faces:
        axis = max(range(3), key=lambda k, n=face.normal: abs(n[k]))
        across, up = ((1, 2), (0, 2), (0, 1))[axis]
        for loop in face.loops:
            loop[layer].uv = (loop.vert.co[across], loop.vert.co[up])


def stadium(
    center: tuple[float, float], half: float, radius: float, steps: int = 12
) -> list[tuple[float, float]]:
    """Return the outline of a track, anticlockwise from its lower right end."""
    x, z = center
    right = [-math.pi / 2 + math.pi * i / steps for i in range(steps + 1)]
    outline = [(x + half + radius * math.cos(a), z + radius * math.sin(a)) for a in right]
    outline += [(x - half - radius * math.cos(a), z - radius * math.sin(a)) for a in right]
    return outline


def along(outline: Profile, count: int) -> list[tuple[float, float, float]]:
    """Return `count` evenly spaced points of a closed outline as (x, z, angle of its direction)."""
    points = np.array([*outline, outline[0]])
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    out = []
    for distance in np.arange(count) * ends[-1] / count:
        i = min(int(np.searchsorted(ends, distance, side="right")) - 1, len(steps) - 1)
        fraction = (distance - ends[i]) / lengths[i] if lengths[i] else 0.0
        x, z = points[i] + fraction * steps[i]
        out.append((float(x), float(z), float(math.atan2(steps[i][1], steps[i][0]))))
    return out
