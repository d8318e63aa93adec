"""The errors by which torch, Warp and NumPy report that memory has run out."""

OUT_OF_MEMORY = "There is not enough memory; choose --preset small, or close other programs."
"""Message for a person where nothing smaller can be tried."""

_MESSAGES = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate",
    "alloc_failed",
    "bad_alloc",
)
"""Parts of the messages of RuntimeErrors: of devices without a type of their own for it, of torch's
allocator on the CPU, the system's, Warp's, cuBLAS's and C++'s."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error reports that memory has run out, whichever library raised it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in message for part in _MESSAGES)
