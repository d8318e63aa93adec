"""Dataset values to Blender data and back: frame, cameras, points, crop box, edit shapes.

Every module here works on plain values and Blender objects and knows neither the engine nor the
interface, so operators and scripts call the same functions.
"""
