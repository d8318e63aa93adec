"""Types of the flat arrays that kernels take, as Warp reads them from annotations."""

from typing import Any

import warp as wp

Floats: Any = wp.array(dtype=wp.float32)
Integers: Any = wp.array(dtype=wp.int32)
Longs: Any = wp.array(dtype=wp.int64)
Bytes: Any = wp.array(dtype=wp.uint8)
