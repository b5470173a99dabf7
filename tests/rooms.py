#!/usr/bin/env python3
"""Reads every #include of src/ and holds it against rooms.txt (what each room's DEPS allow).

Also: detail/ headers stay in their room, heavy headers stay out of public ones, no file over 700 lines.
"""
import re
import sys
from pathlib import Path

SRC, ROOMS = Path(sys.argv[1]), Path(sys.argv[2])
STAGES = {"intake", "ci", "lint", "image", "scan", "preview", "promote", "gitops", "rollout", "verify", "notify"}
BANNED = {r"^regex$": set(), r"^boost/beast": {"net"}, r"^boost/asio": {"net"}, r"^boost/json": {"doc"},
          r"^CLI/": {"cli"}, r"^git2": {"git"}, r"^curl/": {"net"}, r"^sqlite3": {"store"}, r"^coroutine$": set(), r"^gpgme": {"secret"}}
HEAVY = re.compile(r"^(boost/|CLI/|gmock/|archive\.h|git2|curl/|sqlite3|openssl/|re2/)")
LIMIT = 700

rights = {}
for line in ROOMS.read_text().splitlines():
    name, _, deps = line.partition(":")
    rights[name] = set(re.split(r"[;\s]+", deps.strip())) - {""}

def closure(room, seen=None):
    seen = set() if seen is None else seen
    for dep in rights.get(room, ()):
        if dep not in seen:
            seen.add(dep)
            closure(dep, seen)
    return seen

bad = []
for stage in STAGES & rights.keys():
    for other in closure(stage) & STAGES:
        bad.append(f"src/{stage}/CMakeLists.txt: a stage includes stage {other}; exchange values of path instead")
for room, deps in rights.items():
    if room in closure(room):
        bad.append(f"src/{room}/CMakeLists.txt: the room depends on itself")

for path in sorted(SRC.rglob("*")):
    if path.suffix not in (".h", ".cpp") or path.parent == SRC:
        continue
    room = path.relative_to(SRC).parts[0]
    if room not in rights:  # not part of the build (yet)
        continue
    allowed = closure(room) | {room}
    lines = path.read_text(errors="replace").splitlines()
    where = f"src/{path.relative_to(SRC)}"
    if len(lines) > LIMIT:
        bad.append(f"{where}: {len(lines)} lines, want at most {LIMIT}")
    is_test = path.name.endswith(("_test.cpp", "_bench.cpp")) or path.name.startswith("fuzz_") or "testing" in path.parts
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
        if not found:
            continue
        target = found.group(1)
        for pattern, homes in BANNED.items():
            if re.match(pattern, target) and room not in homes:
                bad.append(f"{where}:{number}: <{target}> is not allowed in room {room}")
        if path.suffix == ".h" and "detail" not in path.parts and HEAVY.match(target):
            bad.append(f"{where}:{number}: heavy header <{target}> in a public header")
        first = target.split("/")[0]
        if first in rights and (SRC / target).exists():
            if first not in allowed and not is_test:
                bad.append(f"{where}:{number}: {room} may not include {first} (its DEPS: {' '.join(sorted(rights.get(room, ())))})")
            if "detail" in target.split("/") and first != room:
                bad.append(f"{where}:{number}: {target} is private to room {first}")

print("\n".join(bad) if bad else f"{len(rights)} rooms hold")
sys.exit(1 if bad else 0)
