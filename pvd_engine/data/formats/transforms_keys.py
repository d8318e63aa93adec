"""The keys of a ``transforms.json``, at its top and in its camera entries.

They are what these programs read and write: instant-ngp (``src/nerf_loader.cu`` and
``scripts/colmap2nerf.py``), nerfstudio (its dataparsers nerfstudio, instant_ngp, blender, dnerf and
scannetpp, and the converters of ``process_data`` for COLMAP, Polycam, Metashape, RealityCapture,
Record3D and ODM), NeuS2 (``src/nerf_loader.cu``), Spectacular AI's ``sai-cli process``, BlenderNeRF
and NeRFCapture.
"""

from .keys import Keys

KEYS = (
    Keys(
        "used",
        ("frames",),
        "the camera entries: a list, or an object of them by path",
        level="file",
    ),
    Keys(
        "used", ("test_frames",), "camera entries of the split test, as of ScanNet++", level="file"
    ),
    Keys("used", ("file_path",), "the image", level="entry"),
    Keys(
        "used",
        ("transform_matrix",),
        "camera-to-world, OpenGL axes; 3 or 4 rows, or flat",
        level="entry",
    ),
    Keys(
        "used",
        ("transform_matrix_start", "transform_matrix_end", "rolling_shutter"),
        "of a camera that moves: the pose at the time of the middle of the image, with a note",
    ),
    Keys(
        "used",
        ("from_na", "camera_convention"),
        "NeuS2's `true` and `opencv`: the axes of the cameras are OpenCV's; `opengl` is as without",
        level="file",
    ),
    Keys("used", ("fl_x", "fl_y"), "focal length in pixels; one axis is enough"),
    Keys(
        "used",
        ("camera_angle_x", "camera_angle_y"),
        "angles of view in radians, where there is no focal length",
    ),
    Keys("used", ("x_fov", "y_fov"), "the same in degrees"),
    Keys("used", ("intrinsic_matrix",), "NeuS2's 3×3 or 4×4 matrix, where there is neither"),
    Keys("used", ("cx", "cy"), "principal point; half the image without"),
    Keys("used", ("w", "h"), "the image size that the intrinsics belong to; the image's without"),
    Keys(
        "used",
        ("camera_model", "is_fisheye"),
        "the lens, see [transforms.json](#transformsjson)",
    ),
    Keys(
        "used",
        ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2"),
        "OpenCV's distortion: k4 is that of r⁸, unless k5 or k6 makes it the rational model; of a "
        "fisheye k1 to k4",
    ),
    Keys(
        "used",
        ("k0", "p0", "s0", "s1", "s2", "s3", "sx1", "sy1", "omega", "k", "alpha", "beta"),
        "coefficients of the lenses that have them in COLMAP",
    ),
    Keys(
        "used",
        ("distortion_params",),
        "of `FISHEYE624` (Project Aria) k0 to k5, p0, p1, s0 to s3; else k1 to k4, p1, p2, before "
        "those keys",
    ),
    Keys(
        "used",
        tuple(f"ftheta_p{power}" for power in range(5)),
        "instant-ngp's F-theta lens: the angle from the axis by powers of the distance in pixels",
    ),
    Keys("used", ("latlong",), "instant-ngp's image of the whole sphere"),
    Keys("used", ("mask_path",), "an image that is black where pixels do not count"),
    Keys(
        "used",
        ("fisheye_crop_radius",),
        "pixels of a fisheye's image farther than this from its middle do not count",
    ),
    Keys(
        "used",
        ("white_transparent", "black_transparent"),
        "pixels that are exactly white, or black, are transparent",
        level="file",
    ),
    Keys(
        "used",
        ("train_filenames", "val_filenames", "test_filenames"),
        "images by split",
        level="file",
    ),
    Keys(
        "used",
        ("split",),
        "its split, where there are no such lists",
        level="entry",
    ),
    Keys(
        "used",
        ("n_frames",),
        "only so many entries are read, in natural order of `file_path`",
        level="file",
    ),
    Keys(
        "used",
        ("sharpness", "sharpness_discard_threshold"),
        "entries less sharp than this times the mean of their neighbours are left out",
    ),
    Keys("used", ("aabb_scale", "scale", "offset", "aabb"), "the box of instant-ngp", level="file"),
    Keys(
        "used",
        ("applied_transform", "applied_scale"),
        "of nerfstudio; kept for export",
        level="file",
    ),
    Keys(
        "used",
        ("ply_file_path",),
        "sparse points; without a stated box, they give it",
        level="file",
    ),
    Keys(
        "noted",
        ("depth_path", "depth_file_path", "depth", "normal_path", "normal_file_path"),
        "maps of depth and normals are not used",
    ),
    Keys("noted", ("time",), "a field is still: what moves between the images blurs", varies=True),
    Keys("noted", ("exposure",), "images are used as they are, not made alike", varies=True),
    Keys("noted", ("n_extra_learnable_dims",), "no look of single images is learned"),
    Keys("noted", ("driver_parameters",), "no light of single images is learned"),
    Keys(
        "noted",
        ("rolling_shutter_time", "camera_linear_velocity", "camera_angular_velocity"),
        "each image is taken as seen at one moment",
    ),
    Keys("noted", ("envmap",), "the background is learned, not taken from a file"),
    Keys("noted", ("sharpen",), "images are used as they are, not sharpened"),
    Keys("noted", ("fix_premult",), "colours of OpenEXR are taken as premultiplied with alpha"),
    Keys(
        "noted",
        ("render_aabb", "render_aabb_to_local"),
        "nothing is hidden outside it; set a crop box for that",
    ),
    Keys("noted", ("aabb_scale_bg",), "the background has no box of its own"),
    Keys("noted", ("near", "far", "z_near", "z_far"), "near and far depths are not used"),
    Keys("noted", ("is_bad",), "images that are marked as bad are used"),
    Keys("refused", ("normal_mts_args",), "the cameras are Mitsuba's; write it in another format"),
    Keys(
        "refused",
        ("equirectangular",),
        "its rows show equal areas; resample the images to rows of equal angles (latlong)",
    ),
    Keys("harmless", ("integer_depth_scale", "enable_depth_loading"), "about maps of depth"),
    Keys(
        "harmless",
        ("orientation_override", "auto_scale_poses_override"),
        "nerfstudio turns and scales scenes; nothing is turned or scaled here",
    ),
    Keys("harmless", ("up",), "the view's up direction in instant-ngp's window"),
    Keys("harmless", ("importance_sampling", "enable_ray_loading"), "how instant-ngp trains"),
    Keys("harmless", ("rotation",), "how far NeRF-Synthetic's camera turned between two images"),
    Keys(
        "harmless",
        ("colmap_im_id", "camera_id", "image_id", "frame_id", "id", "name", "timestamp"),
        "names and numbers of cameras and images",
    ),
    Keys("harmless", ("exposure_time", "iso", "motion_blur_score", "blur_score"), "about images"),
    Keys("harmless", ("fovx", "fovy", "max_bound", "n2w"), "repeated by other keys, or unused"),
)
"""Keys of a ``transforms.json``."""

FILES = (
    Keys("used", ("dynamic_mask_NAME.png",), "next to `NAME.jpg`: black where pixels count"),
    Keys("used", ("NAME.png.alpha.png",), "next to `NAME.png`: its red is the alpha, linear"),
    Keys("noted", ("rays_NAME.dat",), "rays come from the lens, not from a file"),
)
"""Files of instant-ngp next to an image."""
