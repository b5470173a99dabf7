#!/usr/bin/python3
"""The Dockerfiles of other builders' tests, built by slipway and by another builder: the same files and settings?

compare.py SLIPWAY --peer buildah|buildkit --corpora DIR [--buildctl PATH --address ADDR] [-k PATTERN] [--show]

Every image that a Dockerfile starts from is one stand-in, made of this host's busybox: what needs a package manager or
the network fails with both, and says nothing. Compared are names, kinds, modes, owners, links, hard links, extended
attributes and contents, and the configuration. Each difference must stand in EXPLAINED, with its reason.
"""
import argparse
import fnmatch
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

# CASE: why it differs. A key may hold wildcards; "peer:" in front limits it to one peer.
EXPLAINED = {}
HERE = pathlib.Path(__file__).resolve().parent
explained_file = HERE / "explained.json"
if explained_file.exists():
    EXPLAINED = json.loads(explained_file.read_text())

# What no builder builds here, by our error: why. Another reason than these wants to be looked at.
UNBUILDABLE = json.loads((HERE / "unbuildable.json").read_text())

FROM = re.compile(r"^\s*FROM\s+((?:--\S+\s+)*)(\S+)(?:\s+AS\s+(\S+))?", re.I | re.M)
COPY_FROM = re.compile(r"--from=([^\s,]+)|from=([^\s,]+)")


def run(argv, **kw):
    return subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, check=False, **kw)


# ---- images -------------------------------------------------------------------------------------------------------

def make_base(folder):
    """The stand-in, as an OCI layout."""
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
        if name != "busybox":
            os.symlink("busybox", root / "bin" / name)
    for name, mode in {"tmp": 0o1777, "root": 0o700, "etc": 0o755, "var/spool/mail": 0o755, "home": 0o755, "usr/bin": 0o755,
                       "dev": 0o755, "proc": 0o755, "sys": 0o755, "opt": 0o755, "lib": 0o755, "run": 0o755}.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        os.chmod(root / name, mode)
    os.symlink("../../bin/env", root / "usr/bin/env")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nbin:x:1:1::/:/bin/false\n"
                                     "lp:x:7:7::/:/bin/false\nmail:x:8:8::/:/bin/false\nnobody:x:65534:65534::/home:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nbin:x:1:\nlp:x:7:\nadm:x:4:bin\nmail:x:8:\nnobody:x:65534:\n")
    (root / "etc/os-release").write_text("ID=stand-in\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    for path in [root, *root.rglob("*")]:
        os.utime(path, (1, 1), follow_symlinks=False)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as out:
        for path in sorted(root.rglob("*")):
            out.add(path, arcname=str(path.relative_to(root)), recursive=False)
    layer = tar.getvalue()
    layout = folder / "layout"
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data):
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"digest": "sha256:" + name, "size": len(data)}

    diff = put(layer)
    config = put(json.dumps({
        "architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:01Z",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [diff["digest"]]},
        "history": [{"created": "1970-01-01T00:00:01Z", "created_by": "stand-in"}]}).encode())
    kind = "application/vnd.oci.image."
    manifest = put(json.dumps({
        "schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": {"mediaType": kind + "config.v1+json", **config},
        "layers": [{"mediaType": kind + "layer.v1.tar", **diff}]}).encode())
    entry = {"mediaType": kind + "manifest.v1+json", **manifest, "platform": {"os": "linux", "architecture": "amd64"},
             "annotations": {"org.opencontainers.image.ref.name": "latest"}}
    (layout / "index.json").write_text(json.dumps(
        {"schemaVersion": 2, "mediaType": kind + "index.v1+json", "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return layout, manifest["digest"]


class Image:
    """An OCI layout in a tar or folder: its files with all layers laid over each other, and its configuration."""

    def __init__(self, path):
        self.blobs = {}
        if path.is_dir():
            for file in path.rglob("*"):
                if file.is_file():
                    self.blobs[str(file.relative_to(path))] = file.read_bytes()
        else:
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.isfile():
                        self.blobs[member.name.removeprefix("./")] = tar.extractfile(member).read()
        entry = json.loads(self.blobs["index.json"])["manifests"][0]
        manifest = json.loads(self.blob(entry["digest"]))
        while "manifests" in manifest:
            manifest = json.loads(self.blob(manifest["manifests"][0]["digest"]))
        self.config = json.loads(self.blob(manifest["config"]["digest"]))
        self.files = {}
        for layer in manifest.get("layers") or []:
            self.lay_over(self.blob(layer["digest"]))

    def blob(self, digest):
        return self.blobs["blobs/" + digest.replace(":", "/")]

    def drop(self, path, itself=True):
        for name in [n for n in self.files if n.startswith(path + "/") or (itself and n == path)]:
            del self.files[name]

    def lay_over(self, data):
        if data[:4] == b"\x28\xb5\x2f\xfd":
            data = subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
        new = {}
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = [(m, m.name.removeprefix("./").strip("/")) for m in tar]
            for member, name in members:  # whiteouts first: they are about the layers below
                folder, _, base = name.rpartition("/")
                if base == ".wh..wh..opq":
                    self.drop(folder, itself=False)
                elif base.startswith(".wh."):
                    self.drop((folder + "/" if folder else "") + base[4:])
            for member, name in members:
                base = name.rpartition("/")[2]
                if name in ("", ".") or base.startswith(".wh."):
                    continue
                if not member.isdir():
                    self.drop(name)
                if member.islnk():
                    target = member.linkname.removeprefix("./").strip("/")
                    self.files[name] = dict(self.files.get(target) or new[target], same=target)
                    continue
                kind = "d" if member.isdir() else "l" if member.issym() else "f" if member.isfile() else member.type.decode()
                row = {"kind": kind, "owner": f"{member.uid}:{member.gid}"}
                if kind != "l":
                    row["mode"] = oct(member.mode & 0o7777)
                if kind == "l":
                    row["to"] = member.linkname
                if kind == "f":
                    row["sha256"] = hashlib.sha256(tar.extractfile(member).read()).hexdigest()
                attrs = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")}
                if attrs:
                    row["xattrs"] = attrs
                self.files[name] = new[name] = row

    def settings(self):
        out = dict(self.config.get("config") or {})
        for key in ("ArgsEscaped", "OnBuild", "Hostname", "Domainname", "Image"):
            if not out.get(key) or key in ("ArgsEscaped",):
                out.pop(key, None)
        out = {k: v for k, v in out.items() if v not in (None, "", [], {}, False)}
        if isinstance(out.get("Labels"), dict):
            out["Labels"] = {k: v for k, v in out["Labels"].items() if not k.startswith("io.buildah.")}
            if not out["Labels"]:
                del out["Labels"]
        for key in ("author", "architecture", "os", "variant"):
            if self.config.get(key):
                out[key] = self.config[key]
        return out


# ---- builders -----------------------------------------------------------------------------------------------------

class Builder:
    def __init__(self, args, work, layout, digest):
        self.args, self.work, self.layout, self.digest = args, work, layout, digest


class Slipway(Builder):
    def build(self, case, to):
        argv = [self.args.slipway, "build", case.context, "-f", case.file, "--data", self.work / "slipway", "--progress",
                "plain", "--output", f"type=oci,dest={to}"]
        for name in case.bases:
            argv += ["--build-context", f"{name}=oci-layout://{self.layout}"]
        return run(argv)


class Buildah(Builder):
    def __init__(self, *a):
        super().__init__(*a)
        self.common = ["buildah", "--storage-driver", "vfs", "--root", self.work / "storage", "--runroot", self.work / "run"]
        done = run([*self.common, "pull", "-q", f"oci:{self.layout}:latest"])
        if done.returncode:
            sys.exit(done.stdout.decode())
        self.id = done.stdout.decode().strip().splitlines()[-1]
        run([*self.common, "tag", self.id, "localhost/stand-in:latest"])

    def build(self, case, to):
        argv = [*self.common, "bud", "--isolation", "chroot", "--pull-never", "--format", "oci", "--timestamp", "0", "--layers=false"]
        for name in case.bases:
            argv += ["--build-context", f"{name}=docker-image://localhost/stand-in:latest"]
        done = run([*argv, "-t", f"oci-archive:{to}", "-f", case.file, case.context])
        return done


class BuildKit(Builder):
    def build(self, case, to):
        # Without "# syntax=", which names an image to be run.
        case.plain = self.work / "plain" / case.file.name
        case.plain.parent.mkdir(exist_ok=True)
        case.plain.write_bytes(re.sub(rb"(?m)^# *syntax *=.*$", b"#", case.file.read_bytes(), count=1))
        own = case.file.with_name(case.file.name + ".dockerignore")
        case.plain.with_name(own.name).unlink(missing_ok=True)
        if own.exists():
            shutil.copy(own, case.plain.parent)
        argv = [self.args.buildctl, "--addr", self.args.address, "build", "--frontend", "dockerfile.v0", "--progress", "plain",
                "--local", f"context={case.context}", "--local", f"dockerfile={case.plain.parent}", "--opt",
                f"filename={case.plain.name}", "--output", f"type=oci,dest={to}",
                "--oci-layout", f"stand-in={self.layout}", "--allow", "network.host", "--allow", "security.insecure"]
        for name in case.bases:
            argv += ["--opt", f"context:{name.removesuffix(':latest')}=oci-layout://stand-in@{self.digest}"]
        return run(argv)


# ---- cases --------------------------------------------------------------------------------------------------------

class Case:
    def __init__(self, name, context, file):
        self.name, self.context, self.file = name, context, file
        text = file.read_text(errors="replace")
        stages, self.bases = set(), set()
        defaults = dict(re.findall(r"^\s*ARG\s+(\w+)=[\"']?([^\s\"']+)", text, re.I | re.M))
        for flags, image, stage in FROM.findall(text):
            image = re.sub(r"\$\{?(\w+)(?::?-([^}]*))?\}?", lambda m: defaults.get(m[1], m[2] or ""), image)
            if image.lower() not in stages and image != "scratch" and image:
                self.bases.add(image)
            if stage:
                stages.add(stage.lower())
        for a, b in COPY_FROM.findall(text):
            image = a or b
            if image.lower() not in stages and not image.isdigit() and "$" not in image and image != "scratch":
                self.bases.add(image)
        self.text = text


def cases(corpora, work):
    root = corpora / "dockerfiles"
    places = [("conformance", root / "buildah-conformance/testdata"), ("bud", root / "buildah-bud")]
    for label, place in places:
        for folder, _, names in sorted(os.walk(place)):
            for name in sorted(names):
                if not re.match(r"(Dockerfile|Containerfile)", name) or name.endswith(("ignore", ".in")):
                    continue
                file = pathlib.Path(folder) / name
                yield Case(f"{label}/{file.relative_to(place)}", file.parent, file)
    for label, place in [("kaniko", root / "kaniko-dockerfiles"), ("integration", root / "integration")]:
        for file in sorted(p for p in place.rglob("*") if p.is_file() and "ockerfile" in p.name):
            if re.search(r"^\s*FROM.*(%(\[\d\])?s|\{\{)", file.read_text(errors="replace"), re.M):
                continue  # a form that the test fills in
            context = work / "contexts" / label / file.name
            context.mkdir(parents=True)
            shutil.copy(file, context / "Dockerfile")
            fill(context, file.read_text(errors="replace"))
            yield Case(f"{label}/{file.name}", context, context / "Dockerfile")


def fill(context, text):
    """The files that COPY and ADD name, made up."""
    for line in re.findall(r"^\s*(?:ONBUILD\s+)?(?:COPY|ADD)\s+(.*)$", text, re.I | re.M):
        words = [w for w in line.split() if not w.startswith("--")]
        if "--from" in line or not words or words[0].startswith(("[", "<<")):
            continue
        for source in words[:-1]:
            if re.search(r"[*?\[$\\\"']|://|\.\.|^\.?$", source):
                continue
            path = context / source.strip("/")
            if not path.exists():
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    if source.endswith("/"):
                        path.mkdir()
                        (path / "inside").write_text("inside of " + source)
                    else:
                        path.write_text("content of " + source)
                except OSError:
                    pass


# ---- comparing ----------------------------------------------------------------------------------------------------

def unite(files):
    """Hard links by the set of their names."""
    groups = {}
    for name, row in files.items():
        groups.setdefault(row.get("same", name), set()).add(name)
    out = {}
    for name, row in files.items():
        row = dict(row)
        group = groups[row.pop("same", name)]
        if len(group) > 1:
            row["links"] = sorted(group)
        out[name] = row
    return out


def differences(ours, theirs, peer):
    a, b = unite(ours.files), unite(theirs.files)
    if peer == "buildah":  # what its way to run leaves behind, and what its OCI images cannot say
        for name in ("etc/hosts", "etc/hostname", "etc/resolv.conf"):
            if name not in a:
                b.pop(name, None)
        if ours.config["config"].get("WorkingDir") == "/":
            theirs.config["config"].setdefault("WorkingDir", "/")
        theirs.config["config"]["OnBuild"] = ours.config.get("config", {}).get("OnBuild")
    out = []
    for name in sorted(a.keys() | b.keys()):
        if a.get(name) != b.get(name):
            out.append(f"/{name}: ours {a.get(name)}, theirs {b.get(name)}")
    s, t = ours.settings(), theirs.settings()
    for key in sorted(s.keys() | t.keys()):
        if s.get(key) != t.get(key):
            out.append(f"{key}: ours {s.get(key)}, theirs {t.get(key)}")
    return out


def why(name, peer):
    for key, reason in EXPLAINED.items():
        limit, _, pattern = key.rpartition("=")
        if fnmatch.fnmatchcase(name, pattern) and limit in ("", peer):
            return reason
    return None


def cannot(name, said):
    return next((reason for pattern, reason in UNBUILDABLE.items() if re.search(pattern, f"{name} | {said[0]}")), None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("slipway")
    parser.add_argument("--peer", choices=["buildah", "buildkit"], default="buildah")
    parser.add_argument("--corpora", type=pathlib.Path, default=pathlib.Path(os.environ.get("SLIPWAY_CORPORA") or HERE.parents[2] / "shared/corpora"))
    parser.add_argument("--buildctl", default="buildctl")
    parser.add_argument("--address", default="unix:///run/buildkit/buildkitd.sock")
    parser.add_argument("-k", default="*")
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    peer = args.buildctl if args.peer == "buildkit" else "buildah"
    if not (args.corpora / "dockerfiles").is_dir() or not shutil.which("busybox") or not shutil.which(peer):
        print(f"no corpora, no busybox or no {peer}: nothing compared")
        return 77
    counts = dict.fromkeys(["same", "explained", "neither", "unexamined", "different"], 0)
    with tempfile.TemporaryDirectory(prefix="slipway-compare-", ignore_cleanup_errors=True) as temp:
        work = pathlib.Path(temp)
        layout, digest = make_base(work)
        ours = Slipway(args, work, layout, digest)
        theirs = (Buildah if args.peer == "buildah" else BuildKit)(args, work, layout, digest)
        for case in cases(args.corpora, work):
            if not fnmatch.fnmatchcase(case.name, args.k):
                continue
            result, said = compare(case, ours, theirs, work)
            reason = why(case.name, args.peer)
            if result == "different" and reason:
                result = "explained"
            if result == "neither":
                reason = cannot(case.name, said)
                result = "neither" if reason else "unexamined"
            counts[result] += 1
            print(f"{result:10} {case.name}" + (f": {reason}" if result in ("explained", "neither") else ""), flush=True)
            if result in ("different", "unexamined") or args.show:
                for line in said[:12]:
                    print("          " + line, flush=True)
    print(", ".join(f"{n} {what}" for what, n in counts.items()))
    return 1 if counts["different"] or counts["unexamined"] else 0


def compare(case, ours, theirs, work):
    a, b = work / "ours.tar", work / "theirs.tar"
    for path in (a, b):
        if path.exists():
            path.unlink()
    try:
        one = ours.build(case, a)
        two = theirs.build(case, b)
    except subprocess.TimeoutExpired as late:
        return "neither", [f"took too long: {late.cmd[0]}"]
    def tail(done):
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        return [n for n in lines if n.startswith(("slipway:", "error:", "Error:", "ERROR:"))] or lines[-3:]

    if one.returncode and two.returncode:
        return "neither", ["ours: " + " | ".join(tail(one)), "theirs: " + " | ".join(tail(two))]
    if one.returncode:
        return "different", ["only theirs builds; ours: " + " | ".join(tail(one))]
    if two.returncode:
        return "different", ["only ours builds; theirs: " + " | ".join(tail(two))]
    found = differences(Image(a), Image(b), ours.args.peer)
    return ("different", found) if found else ("same", [])


if __name__ == "__main__":
    sys.exit(main())
