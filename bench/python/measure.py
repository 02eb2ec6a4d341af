"""Runs a command and prints, as JSON, its wall time in seconds, the most memory it held in bytes, and the last line of its errors if it failed."""

import json
import os
import subprocess
import sys
import time

start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
errors = child.stderr.read().decode(errors="replace").strip()
_, status, usage = os.wait4(child.pid, 0)
run = {"seconds": time.perf_counter() - start, "peak": usage.ru_maxrss * 1024}
if os.waitstatus_to_exitcode(status) != 0:
    run["error"] = errors.splitlines()[-1] if errors else f"status {status}"
print(json.dumps(run))
