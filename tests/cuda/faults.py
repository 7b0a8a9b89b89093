"""Runs the small kernels of ``emulator/faults.cu`` with some seeds, and prints
what was found of each, as JSON: python -m tests.cuda.faults LIBRARY

It is a process of its own, so that AddressSanitizer's runtime can be loaded
before all else.
"""

from __future__ import annotations

import ctypes
import json
import sys

SEEDS = 5


def main(path: str) -> None:
    library = ctypes.CDLL(path)
    library.fault_names.restype = ctypes.c_char_p
    library.run_fault.restype = ctypes.c_char_p
    library.emulator_seed.argtypes = [ctypes.c_uint64]
    found: dict[str, list[tuple[str, float]]] = {}
    total = ctypes.c_double()
    for name in library.fault_names().splitlines():
        for seed in range(SEEDS):
            library.emulator_seed(seed)
            said = library.run_fault(name, ctypes.byref(total))
            own = found.setdefault(name.decode(), [])
            own.append((said.decode(), total.value))
    print(json.dumps(found))


if __name__ == '__main__':
    main(sys.argv[1])
