"""A figure of the benchmark: ours, what it is measured against in the same run, and whether its target holds."""
import json
import os
import platform
import statistics
import tempfile
from dataclasses import asdict, dataclass


@dataclass
class Figure:
    name: str           # room/what
    ours: float
    unit: str
    target: str = ""    # in words; "" = for information
    holds: bool | None = None
    against: float | None = None   # the peer's or the limit's, same unit, same run
    peer: str = ""      # who that is
    samples: list | None = None
    note: str = ""

    @property
    def ratio(self):
        return self.ours / self.against if self.against else None


def at_most(name, ours, unit, limit, **rest):
    """A figure with a bound of its own."""
    return Figure(name, ours, unit, f"<= {number(limit)} {unit}", ours <= limit, **rest)


def share_of(name, ours, unit, against, peer, most, **rest):
    """A figure whose ratio to the peer or limit of the same run is bounded."""
    return Figure(name, ours, unit, f"<= {number(most)} x", ours / against <= most, against=against, peer=peer, **rest)


def median(values):
    return statistics.median(values)


def spread(values):
    return f"{number(min(values))}-{number(max(values))}, n={len(values)}"


def number(value):
    if value is None:
        return ""
    if value == 0:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.01 else f"{value:.2g}"


def table(figures):
    rows = [("figure", "ours", "peer or limit", "ratio", "target", "")]
    for f in figures:
        against = f"{number(f.against)} {f.unit} {f.peer}" if f.against is not None else f.peer
        held = {None: "", True: "holds", False: "DOES NOT HOLD"}[f.holds]
        rows.append((f.name, f"{number(f.ours)} {f.unit}", against, number(f.ratio), f.target, held))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(widths[i]) if i in (1, 3) else cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def machine():
    """What the figures depend on, and how quiet it was."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal")) / 1048576
    return {"cpus": os.cpu_count(), "model": model, "memory_gib": round(memory, 1), "kernel": platform.release(), "load": os.getloadavg()[0], "disk": disk()}


def disk(folder=None):
    """The file system that folders of the benchmarks lie on. An ext4 without a journal must not give an inode away again
    at once (ext4's recently_deleted()), and looks past all that were deleted lately: new files get ten times dearer the
    more are made and deleted."""
    number = os.stat(folder or tempfile.gettempdir()).st_dev
    for line in open("/proc/self/mountinfo"):
        own, _, described = line.partition(" - ")
        if own.split()[2] == f"{os.major(number)}:{os.minor(number)}":
            kind, device = described.split()[:2]
            journal = kind != "ext4" or any(name.startswith(os.path.basename(device) + "-") for name in listed("/proc/fs/jbd2"))
            return kind if journal else f"{kind} without a journal"
    return "unknown"


def listed(folder):
    return os.listdir(folder) if os.path.isdir(folder) else []


def save(path, figures, when, program):
    document = {"machine": machine(), "when": when, "program": program, "figures": [{**asdict(f), "ratio": f.ratio} for f in figures]}
    with open(path, "w") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
