"""The tasks of numerics.ts in numpy and scipy: one JSON line each, milliseconds of wall and of processor time."""

import json
import sys
import time

import numpy as np
import scipy.linalg as sl

repeats = int(sys.argv[1])
rng = np.random.default_rng(0)
wide = rng.standard_normal((768, 3072))
square = rng.standard_normal((768, 768)).astype("f")
half = rng.standard_normal((3072, 4096))
definite = half @ half.T
right = rng.standard_normal((3072, 768))
factor = sl.cholesky(definite, lower=True)


def gesdd(a):
    return sl.svd(a, full_matrices=False, lapack_driver="gesdd")


tasks = {
    "svd 768x3072": lambda: gesdd(wide),
    "cholesky 3072": lambda: sl.cholesky(definite, lower=True),
    "solve 3072x768": lambda: sl.cho_solve((factor, True), right),
    "bert layer rank 128": lambda: [gesdd(square) for _ in range(4)] + [gesdd(wide.astype("f")) for _ in range(2)],
}
for name, task in tasks.items():
    task()
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        task()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = sorted(times)[len(times) // 2]
    print(json.dumps({"name": name, "wall": wall * 1e3, "cpu": cpu * 1e3}), flush=True)
