"""Tunes when Python and malloc return memory to the system: by default some is returned too late, some too early."""

import ctypes
import gc
from typing import Final

M_TRIM_THRESHOLD: Final = -1  # malloc.h
M_MMAP_THRESHOLD: Final = -3
MAX_RETAINED_BYTES: Final = 16 * 1024 * 1024


def trim() -> None:
    """Return freed memory to the system. Call it after each load and unload; it takes 10 to 80 ms.

    A session and its graph refer to each other, so only the garbage collector frees them. Loading leaves hundreds of MB
    of freed graph copies in malloc's arenas, more with each swap, until malloc_trim returns them: an InceptionV3 server
    stays at 1.2 GB instead of 2.1.
    """
    gc.collect()
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if malloc_trim:
        malloc_trim(0)


def retain_freed_blocks() -> None:
    """Make malloc reuse the memory of one image for the next, up to 16 MB in each of its arenas.

    By default glibc maps each large block anew and the kernel clears it page by page, which is 0.9 of the 2.1 ms that
    Pillow spends on a photograph of 450 x 300.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc only
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, MAX_RETAINED_BYTES)
        mallopt(M_TRIM_THRESHOLD, MAX_RETAINED_BYTES)
