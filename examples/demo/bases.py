"""Base images for the example, made from this machine's own Debian packages, so that the demo needs no registry.

base/busybox:1  busybox-static and nothing else
base/cc:1       gcc, make and the C headers
base/node:1     node and the libraries it loads
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.request


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def libraries(*programs):
    """The shared libraries that programs load, and the loader."""
    found = set()
    for program in programs:
        for word in run("ldd", program).split():
            if word.startswith("/"):
                found.add(word)
    return found


class Image:
    """A layer tar in memory, merged-/usr: /bin, /lib, /lib64 and /sbin are links below usr/."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)
        self.names = set()
        self.folder("usr")
        for name in ("bin", "lib", "lib64", "sbin"):
            self.folder(f"usr/{name}")
            self.link(name, f"usr/{name}")
        for name in ("etc", "usr/local", "usr/local/bin", "root", "var"):
            self.folder(name)
        self.folder("tmp", 0o1777)
        self.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
        self.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")

    def _add(self, info, data=None):
        if info.name in self.names:
            return
        self.names.add(info.name)
        info.mtime = 0
        self.tar.addfile(info, data)

    def folder(self, name, mode=0o755):
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self._add(info)

    def parents(self, name):
        parts = name.split("/")[:-1]
        for i in range(len(parts)):
            self.folder("/".join(parts[: i + 1]))

    def link(self, name, target):
        self.parents(name)
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._add(info)

    def text(self, name, text):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(text), 0o644
        self._add(info, io.BytesIO(text.encode()))

    def file(self, path, name=None):
        """A file of this machine at the same place; links bring what they point to."""
        name = (name or path).lstrip("/")
        if name.split("/")[0] in ("bin", "lib", "lib64", "sbin"):
            name = "usr/" + name
        if os.path.islink(path):
            target = os.path.realpath(path)
            if not os.path.isfile(target):
                return
            self.file(target)
            where = target.lstrip("/")
            where = where if where.startswith("usr/") or where.split("/")[0] not in ("bin", "lib", "lib64", "sbin") else "usr/" + where
            if name != where:
                self.link(name, "/" + where)
            return
        if not os.path.isfile(path):
            return
        self.parents(name)
        info = tarfile.TarInfo(name)
        info.size, info.mode = os.path.getsize(path), 0o755 if os.access(path, os.X_OK) else 0o644
        with open(path, "rb") as data:
            self._add(info, data)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def busybox():
    image = Image()
    image.file(shutil.which("busybox"), "/bin/busybox")
    for applet in ("sh", "ls", "cat", "wget", "ps", "kill", "sleep", "env", "id"):
        image.link(f"usr/bin/{applet}", "busybox")
    return image.bytes(), {"Cmd": ["/bin/sh"]}


def compiler():
    image = Image()
    version = run("gcc", "-dumpversion").split(".")[0].strip()
    packages = [f"gcc-{version}", f"cpp-{version}", f"libgcc-{version}-dev", "libc6-dev", "linux-libc-dev", "binutils-x86-64-linux-gnu",
                "binutils", "gcc", "cpp", "make", "dash", "coreutils", "libc6"]
    skip = ("/usr/share", "asan", "tsan", "lsan", "ubsan", "lto1", "lto-wrapper", "lto-dump", "gcov", "gprof", "/gold", "dwp", "gconv")
    files = {f for f in run("dpkg", "-L", *packages).split("\n") if f and not any(s in f for s in skip)}
    tools = [run("gcc", "-print-prog-name=cc1").strip(), *(shutil.which(t) for t in ("make", "as", "ld", "ar", "ls"))]
    for path in sorted(files | libraries(*tools)):
        if not os.path.isdir(path):
            image.file(path)
    image.link("usr/bin/sh", "dash")
    return image.bytes(), {"Cmd": ["/bin/sh"]}


def node():
    image = Image()
    program = os.path.realpath(shutil.which("node"))
    image.file(program, "/usr/bin/node")
    image.file(shutil.which("busybox"), "/bin/busybox")
    image.link("usr/bin/sh", "busybox")
    for path in sorted(libraries(program)):
        image.file(path)
    # Debian's node loads some of its own modules from here.
    for base, _, names in os.walk("/usr/share/nodejs/cjs-module-lexer"):
        for name in names:
            image.file(os.path.join(base, name))
    return image.bytes(), {"Cmd": ["node"]}


def call(method, url, data=None, headers=None):
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    with urllib.request.urlopen(request) as response:
        return response.status, response.headers


def push(registry, authorization, name, tag, layer, config):
    """Pushes one image by the distribution specification."""
    headers = {"Authorization": authorization}

    def blob(content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        _, answer = call("POST", f"{registry}/v2/{name}/blobs/uploads/", b"", headers)
        where = answer["Location"]
        where = where if where.startswith("http") else registry + where
        call("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", content, {**headers, "Content-Type": "application/octet-stream"})
        return digest, len(content)

    diff_id = "sha256:" + hashlib.sha256(layer).hexdigest()
    packed = gzip.compress(layer, 1, mtime=0)
    layer_digest, layer_size = blob(packed)
    env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    document = {"architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z", "config": {"Env": env, **config},
                "rootfs": {"type": "layers", "diff_ids": [diff_id]}, "history": [{"created_by": "this machine's packages"}]}  # buildah wants a history
    config_digest, config_size = blob(json.dumps(document).encode())
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config_size},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer_digest, "size": layer_size}]}
    call("PUT", f"{registry}/v2/{name}/manifests/{tag}", json.dumps(manifest).encode(), {**headers, "Content-Type": manifest["mediaType"]})


def push_all(registry, authorization):
    sizes = {}
    for name, make in (("busybox", busybox), ("cc", compiler), ("node", node)):
        layer, config = make()
        sizes[name] = len(layer)
        push(registry, authorization, f"base/{name}", "1", layer, config)
    return sizes
