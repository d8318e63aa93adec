"""The hot loops: plain torch as reference, and Warp."""
