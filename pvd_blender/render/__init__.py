"""The render engine *PVD Field*, in the 3D View and for renders."""
