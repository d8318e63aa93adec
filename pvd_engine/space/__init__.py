"""The dataset frame and the cube that fields compute in: lenses, rays, maps of space, occupancy."""
