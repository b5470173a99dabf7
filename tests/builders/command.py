#!/usr/bin/python3
"""`slipway build` from its command line: outputs that stock tools read, contexts, caches, agents, checks, progress."""
import io
import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys
import tarfile
import tempfile

from compare import Image, make_base

SLIPWAY = sys.argv[1]


class Place:
    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.layout, self.digest = make_base(self.work)
        self.context = self.work / "context"
        self.context.mkdir()
        (self.context / "a.txt").write_text("A\n")

    def run(self, *options, dockerfile=None, context=None, code=0, stdin=None, env=None):
        if dockerfile is not None:
            (self.context / "Dockerfile").write_text(dockerfile)
        argv = [SLIPWAY, "build", context or self.context, "--data", self.work / "data", "--build-context",
                f"base=oci-layout://{self.layout}", *options]
        done = subprocess.run([str(a) for a in argv], input=stdin or b"", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=100, check=False, env={**os.environ, **(env or {})})
        assert done.returncode == code, (argv, done.returncode, done.stdout.decode(), done.stderr.decode())
        return done


def git(folder, *argv):
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *argv], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_outputs(p):
    text = "FROM base\nCOPY a.txt /new/\nRUN ln /new/a.txt /new/b.txt && ln -s a.txt /new/l && rm -r /home\n"
    p.run(f"-o{p.work}/local", "--iidfile", p.work / "iid", "--metadata-file", p.work / "meta", dockerfile=text)
    assert (p.work / "local/new/a.txt").read_text() == "A\n" and not (p.work / "local/home").exists()
    assert os.stat(p.work / "local/new/a.txt").st_nlink == 2 and os.readlink(p.work / "local/new/l") == "a.txt"
    meta = json.loads((p.work / "meta").read_text())
    assert meta["containerimage.digest"] == (p.work / "iid").read_text(), meta
    tar = p.run("-o-").stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as t:
        assert t.extractfile("new/a.txt").read() == b"A\n"
    for kind in ("oci", "docker"):
        file = p.work / f"{kind}.tar"
        p.run("--output", f"type={kind},dest={file}", "-t", "shop/web:1")
        p.run("--output", f"type={kind},dest={file}", "-t", "shop/web:1")  # replaced
        if shutil.which("skopeo"):
            said = json.loads(subprocess.check_output(["skopeo", "inspect", f"{kind}-archive:{file}"]))
            assert said["Architecture"] and len(said["Layers"]) == 3, said
    assert "/new/b.txt"[1:] in Image(p.work / "oci.tar").files


def test_contexts(p):
    text = "FROM base\nCOPY a.txt /o\n"
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as t:
        for name, data in {"Dockerfile": text, "a.txt": "T"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data.encode()))
    p.run("-o", p.work / "piped", context="-", stdin=tar.getvalue())
    assert (p.work / "piped/o").read_text() == "T"
    p.run("-o", p.work / "alone", context="-", stdin=b"FROM base\nRUN echo x > /o\n")
    assert (p.work / "alone/o").read_text() == "x\n"
    p.run("-f-", "-o", p.work / "dash", stdin=text.encode())
    assert (p.work / "dash/o").read_text() == "A\n"
    p.run("--build-context", f"more={p.context}", "-o", p.work / "named", dockerfile="FROM base\nCOPY --from=more a.txt /o\n")
    assert (p.work / "named/o").read_text() == "A\n"


def test_ssh_keys(p):
    if not shutil.which("ssh-keygen") or not shutil.which("ssh-agent"):
        return
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", p.work / "key"], check=True)
    p.run("--ssh", f"deploy={p.work}/key", "-o", p.work / "ssh",
          dockerfile="FROM base\nRUN --mount=type=ssh,id=deploy,required test -S $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK > /o\n")
    assert (p.work / "ssh/o").read_text() == "/run/buildkit/ssh_agent.0\n"
    refused = p.run("--ssh", "default", dockerfile="FROM base\n", code=2, env={"SSH_AUTH_SOCK": ""})
    assert b"no agent runs here" in refused.stderr, refused.stderr


def test_cache(p):
    text = "FROM base AS one\nRUN echo 1 > /o\nFROM base\nCOPY --from=one /o /\n"
    p.run("--cache-to", f"type=local,dest={p.work}/cache,mode=max", dockerfile=text)
    shutil.rmtree(p.work / "data")
    done = p.run("--cache-from", f"type=local,src={p.work}/cache", "--output", f"type=oci,dest={p.work}/c.tar")
    assert b"2 of 2 steps from the cache" in done.stderr, done.stderr
    p.run("--cache-from", "type=gha", code=4)


def test_attestations(p):
    p.run("--provenance", "mode=max", "--sbom", "true", "-t", "shop/web:2", "--output", f"type=oci,dest={p.work}/a.tar",
          dockerfile="FROM base\nCOPY a.txt /\n")
    image = Image(p.work / "a.tar")
    top = json.loads(image.blobs["index.json"])["manifests"][0]
    index = json.loads(image.blob(top["digest"]))
    assert [m["platform"]["os"] for m in index["manifests"]] == ["linux", "unknown"], index
    statements = json.loads(image.blob(index["manifests"][1]["digest"]))
    kinds = sorted(layer["annotations"]["in-toto.io/predicate-type"] for layer in statements["layers"])
    assert kinds == ["https://slsa.dev/provenance/v1", "https://spdx.dev/Document"], kinds


def test_platforms(p):
    p.run("--platform", "linux/amd64", "--platform", "linux/arm64", "-o", p.work / "both",
          dockerfile="FROM scratch\nARG TARGETARCH\nCOPY a.txt /$TARGETARCH\n")
    assert (p.work / "both/linux_amd64/amd64").exists() and (p.work / "both/linux_arm64/arm64").exists()


def test_compression(p):
    p.run("--compression", "zstd", "--output", f"type=oci,dest={p.work}/z.tar", dockerfile="FROM scratch\nCOPY a.txt /\n")
    image = Image(p.work / "z.tar")
    assert image.files["a.txt"]["kind"] == "f"
    p.run("--output", f"type=oci,dest={p.work}/z.tar,compression=lzma", code=1)


def test_checks(p):
    done = p.run("--check", dockerfile="from scratch AS A\nCMD x\n", code=1)
    for rule in (b"StageNameCasing", b"ConsistentInstructionCasing", b"JSONArgsRecommended"):
        assert rule in done.stdout, done.stdout
    assert p.run("--check", dockerfile="FROM scratch\n").returncode == 0


def test_insecure(p):
    text = "FROM base\nRUN --security=insecure mount -t tmpfs t /tmp && echo ok > /o\n"
    p.run(dockerfile=text, code=1)
    p.run("--allow", "security.insecure", "-o", p.work / "insecure")
    assert (p.work / "insecure/o").read_text() == "ok\n"


def test_rootless(p):
    """A plain user, without a range of other users' ids: commands, whiteouts, opaque folders, hard links, caches."""
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"]
    if not shutil.which("setpriv") or subprocess.run([*nobody, "unshare", "-Ur", "true"], check=False).returncode:
        return
    program = p.work / "slipway"
    shutil.copy(SLIPWAY, program)
    (p.context / "Dockerfile").write_text(
        "FROM base AS one\nRUN id -u > /uid && mkdir /d && echo x > /d/f && chmod 4755 /d/f && ln /d/f /d/g\n"
        "COPY a.txt /a\nRUN rm -r /home /opt && mkdir /opt && ls -A /opt > /list && ls / >> /list\n"
        "FROM scratch\nCOPY --from=one /list /uid /a /d /\n")
    home = p.work / "home"
    home.mkdir()
    for path in (p.work, home):
        os.chown(path, 65534, 65534)
    argv = [*nobody, program, "build", p.context, "--data", home / "data", "--build-context",
            f"base=oci-layout://{p.layout}", "-o", home / "out"]
    for said in (b"0 of 4 steps", b"4 of 4 steps"):
        shutil.rmtree(home / "out", ignore_errors=True)
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=100, check=False, env={**os.environ, "HOME": str(home)})
        assert done.returncode == 0 and said in done.stderr, done.stderr.decode()
    out = home / "out"
    listed = (out / "list").read_text().split()
    assert (out / "uid").read_text() == "0\n" and "home" not in listed and "opt" in listed, listed
    copied = os.stat(out / "f")
    assert oct(copied.st_mode & 0o7777) == "0o4755" and copied.st_nlink == 2, copied
    assert os.stat(out / "a").st_uid == 65534, os.stat(out / "a")


def test_cancel(p):
    """Interrupted in the middle of a command: it ends, and leaves neither container nor mount nor files."""
    (p.context / "Dockerfile").write_text("FROM base\nRUN echo begun; sleep 1000\n")
    child = subprocess.Popen([str(a) for a in [SLIPWAY, "build", p.context, "--data", p.work / "data", "--progress", "plain",
                                               "--build-context", f"base=oci-layout://{p.layout}"]],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in child.stderr:
        if b"begun" in line and b"RUN" not in line:
            break
    child.send_signal(2)
    child.stderr.read()
    assert child.wait() == 130, child.returncode
    assert not os.listdir(p.work / "data/cli/build/steps") and not os.listdir(p.work / "data/cli/box/containers")
    assert str(p.work) not in pathlib.Path("/proc/self/mountinfo").read_text()


def test_progress(p):
    (p.context / "Dockerfile").write_text("FROM base\nRUN sleep 0.4; echo done > /o\n")
    argv = [SLIPWAY, "build", p.context, "--data", p.work / "data", "--build-context", f"base=oci-layout://{p.layout}"]
    plain = p.run("--progress", "plain", "--no-cache").stderr
    assert b"\x1b" not in plain and b"[stage-0 2/2] RUN sleep 0.4" in plain, plain
    main, side = pty.openpty()
    child = subprocess.Popen([str(a) for a in [*argv, "--no-cache"]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=side, env={**os.environ, "TERM": "xterm"})
    os.close(side)
    seen = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    assert child.wait() == 0
    assert b" -> [stage-0 2/2] RUN sleep 0.4" in seen and b"\x1b[1A\x1b[2K" in seen, seen
    assert seen.count(b"\n => [stage-0 2/2]") or b" => [stage-0 2/2]" in seen, seen


def main():
    if os.geteuid() != 0 or not shutil.which("busybox"):
        print("wants root and busybox")
        return 77
    failed = 0
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    for name, test in tests:
        with tempfile.TemporaryDirectory(prefix="slipway-build-") as work:
            try:
                test(Place(work))
                print("passed", name, flush=True)
            except AssertionError as e:
                failed += 1
                print("FAILED", name, e, flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
