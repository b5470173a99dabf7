"""Stand-ins for base images that cannot be reached from here, made of this machine's own files.

A Dockerfile says `FROM golang:1.22`; without a hub, the embedded registry gets an image of that name that holds this
machine's Go. It is not that image, and says so; what the machine does not have either has no stand-in.
"""
import glob
import os
import re
import shutil

from bases import Image, compiler, libraries, run

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ["dash", "bash", "coreutils", "grep", "sed", "mawk", "findutils", "tar", "gzip", "xz-utils", "make", "git", "curl", "ca-certificates", "procps", "libc-bin", "libc6", "hostname", "util-linux",
         "netbase", "tzdata"]
SKIP = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/usr/share/lintian", "/usr/share/bash-completion", "gconv/", "/usr/share/zoneinfo/right", "/usr/share/zoneinfo/posix", "/usr/share/perl")


class Missing(Exception):
    pass


def environment(*more, path=PATH):
    # Tools with certificates of their own trust what the machine trusts.
    trust = [f"{name}={CERTIFICATES}" for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE")]
    return [f"PATH={path}", *trust, *more]


def packages(image, *names):
    files = {f for f in run("dpkg", "-L", *names).split("\n") if f.startswith("/") and not f.startswith(SKIP) and not any(s in f for s in SKIP)}
    programs = [f for f in files if "/bin/" in f or "/sbin/" in f or "/libexec/" in f or re.search(r"/lib/.*\.so", f)]
    for path in sorted(files | libraries(*[p for p in programs if os.path.isfile(p)])):
        image.file(path)


def tree(image, folder, at=None, skip=()):
    at = at or folder
    for base, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if os.path.relpath(os.path.join(base, f), folder) not in skip and f != "__pycache__"]
        for name in names:
            path = os.path.join(base, name)
            image.file(os.path.realpath(path), os.path.join(at, os.path.relpath(path, folder)))


def userland():
    image = Image()
    packages(image, *TOOLS)
    image.file(CERTIFICATES)
    image.file("/etc/nsswitch.conf")
    image.text("etc/os-release", 'PRETTY_NAME="stand-in made of this machine\'s files"\nID=standin\n')
    image.link("usr/bin/sh", "dash")
    image.link("usr/bin/awk", "mawk")
    return image


def plain():
    return userland().bytes(), {"Cmd": ["/bin/sh"], "Env": environment()}, "a Debian userland"


def small():
    image = Image()
    busybox = shutil.which("busybox")
    if not busybox:
        raise Missing("busybox is not on this machine")
    image.file(busybox, "/bin/busybox")
    for applet in run(busybox, "--list").split():
        image.link(f"usr/bin/{applet}", "busybox")
    image.file(CERTIFICATES)
    return image.bytes(), {"Cmd": ["/bin/sh"], "Env": environment()}, "busybox"


def distroless(name, tag):
    image = Image()
    image.file(CERTIFICATES)
    image.folder("home/nonroot")
    if "static" not in name:
        packages(image, "libc6", "libgcc-s1", "libstdc++6", "libssl3")
    user = {"User": "65532"} if "nonroot" in tag else {}
    return image.bytes(), {"Env": environment(), **user}, "certificates" + ("" if "static" in name else " and the C library")


def golang():
    go = shutil.which("go") or "/usr/local/go/bin/go"
    root = run(go, "env", "GOROOT").strip() if os.path.exists(go) else ""
    if not root:
        raise Missing("go is not on this machine")
    image = userland()
    tree(image, os.path.realpath(root), "/usr/local/go", skip=("test", "doc", "api", "misc"))
    image.folder("go", 0o777)
    path = "/go/bin:/usr/local/go/bin:" + PATH
    return image.bytes(), {"Cmd": ["bash"], "WorkingDir": "/go", "Env": environment("GOPATH=/go", "GOTOOLCHAIN=local", path=path)}, run(go, "env", "GOVERSION").strip()


def node():
    program = shutil.which("node")
    if not program:
        raise Missing("node is not on this machine")
    image = userland()
    program = os.path.realpath(program)
    image.file(program, "/usr/local/bin/node")
    for path in sorted(libraries(program)):
        image.file(path)
    for folder in ("/usr/share/nodejs", "/usr/lib/nodejs"):  # Debian's own npm is spread over these
        tree(image, folder)
    npm = shutil.which("npm")
    if npm:
        folder = os.path.dirname(os.path.dirname(os.path.realpath(npm)))
        if not folder.startswith("/usr/share/nodejs"):
            tree(image, folder, "/usr/local/lib/node_modules/npm")
            folder = "/usr/local/lib/node_modules/npm"
        for tool in ("npm", "npx"):
            image.link(f"usr/local/bin/{tool}", f"{folder}/bin/{tool}-cli.js")
    return image.bytes(), {"Cmd": ["node"], "Env": environment()}, "node " + run(program, "--version").strip()


def python():
    program = "/usr/bin/python3"
    version = os.path.basename(os.path.realpath(program))  # python3.11
    image = userland()
    packages(image, f"{version}-minimal", version, f"lib{version}-stdlib", f"lib{version}-minimal", "python3-pip", "python3-setuptools", "python3-wheel", "python3-pkg-resources", "python3-distutils", "python3-venv",
             f"{version}-venv", "python3-pip-whl", "python3-setuptools-whl")
    image.link("usr/bin/python3", version)
    for name in ("python", "python3"):
        image.link(f"usr/local/bin/{name}", f"/usr/bin/{version}")
    image.file("/usr/bin/pip3", "/usr/local/bin/pip")
    image.file("/usr/bin/pip3", "/usr/local/bin/pip3")
    # Debian's own keeps pip from installing beside apt; there is no apt here.
    return image.bytes(), {"Cmd": ["python3"], "Env": environment("PYTHONUNBUFFERED=1", "PIP_BREAK_SYSTEM_PACKAGES=1", "PIP_ROOT_USER_ACTION=ignore")}, run(program, "--version").strip()


def java():
    program = shutil.which("java")
    if not program:
        raise Missing("java is not on this machine")
    home = os.path.dirname(os.path.dirname(os.path.realpath(program)))
    image = userland()
    tree(image, home, "/opt/java", skip=("man", "docs", "legal"))
    for library in glob.glob(home + "/lib/**/*.so", recursive=True):
        for path in libraries(library):
            image.file(path)
    for path in libraries(program):
        image.file(path)
    tools = []
    maven = shutil.which("mvn")
    if maven:
        folder = os.path.dirname(os.path.dirname(os.path.realpath(maven)))
        tree(image, folder, "/opt/maven")
        tools.append("maven")
    return image.bytes(), {"Env": environment("JAVA_HOME=/opt/java", path="/opt/java/bin:/opt/maven/bin:" + PATH)}, "java " + ", ".join([os.path.basename(home), *tools])


def cc():
    layer, config = compiler()
    return layer, config, "gcc " + run("gcc", "-dumpversion").strip()


MAKERS = {"golang": golang, "node": node, "python": python, "gcc": cc, "openjdk": java, "eclipse-temurin": java, "amazoncorretto": java, "maven": java,
          "debian": plain, "ubuntu": plain, "buildpack-deps": plain, "alpine": small, "busybox": small}


def place(reference):
    """Repository and tag in the embedded registry under which a builder looks for the name."""
    name = reference.split("@")[0]
    if ":" in name.rsplit("/", 1)[-1]:
        return tuple(name.rsplit(":", 1))
    return name, "latest"


def stand_in(reference):
    """The layer, the configuration and a word on what it is. Missing, when there is none."""
    if "@" in reference:
        raise Missing(f"{reference} is named by its digest: no stand-in can have it")
    name, tag = place(reference)
    if "distroless/" in name:
        return distroless(name, tag)
    maker = MAKERS.get(name.rsplit("/", 1)[-1])
    if not maker:
        raise Missing(f"no stand-in is known for {reference} (there are some for {', '.join(sorted(MAKERS))} and distroless)")
    return maker()
