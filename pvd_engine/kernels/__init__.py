"""The hot loops: a plain-torch reference and one Warp source for CPU and CUDA."""
