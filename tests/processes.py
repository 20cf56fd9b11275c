"""Whether a process is there."""

import subprocess


def is_running(process_id: int) -> bool:
    """Whether the process is there and no zombie."""
    state = subprocess.run(("ps", "-o", "stat=", "-p", str(process_id)), capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.strip().startswith("Z")
