"""bench/registry: a layer of 500 MB pushed and pulled, 10,000 tags listed, 200 clients at once: Slipway and Debian's
docker-registry in turn, the same client, both below the same folder."""
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, HERE)
from clients import LOCATION, BareSender, Crowd, DockerRegistry, Place, Refused, call, encoded_copy, forget_peak, free_port, path_of, peak_mb, pull, push_chunked, push_whole, resident  # noqa: E402
from figures import Figure, at_most, median, share_of, spread  # noqa: E402
from house import House, basic, scratch  # noqa: E402

LIMIT = "bare sendfile"
PEER = "docker-registry"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEGABYTE = 1_000_000


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_layer(folder, megabytes):
    """Bytes that do not compress, on a file system in memory where there is one: reading them costs the client little."""
    path = os.path.join(folder, "layer")
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(megabytes):
            data = os.urandom(MEGABYTE)
            digest.update(data)
            file.write(data)
    return open(path, "rb"), "sha256:" + digest.hexdigest()


class Side:
    """One of the two: where it is and its process."""

    def __init__(self, name, place, process):
        self.name, self.place, self.pid = name, place, process.pid
        self.credentials, self.headers = "", {}

    def ask(self, method, target, want, headers="", body=b""):
        with self.place.connect() as connection:
            return call(connection, self.place.request(method, target, headers, body), want)

    def forget(self, repository, digest):
        self.ask("DELETE", f"/v2/{repository}/blobs/{digest}", 202)


def forgotten(sides, house, repository, digest):
    """A layer that is pushed again is new again: the name goes, and ours gives its bytes back at once."""
    for side in sides:
        side.forget(repository, digest)
    house.command("image", "gc", "--grace", "0s")
    os.sync()


def transfers(sides, house, layer, encoded, digest, rounds, say):
    """Seconds by (what, side)."""
    took = {(what, side.name): [] for what in ("push", "push-chunked", "pull") for side in sides}
    took["pull", LIMIT] = []
    size, buffer, bare = os.fstat(layer.fileno()).st_size, bytearray(1 << 20), BareSender(layer)
    for i in range(rounds + 1):  # the first is to warm up
        for what, send, body in (("push", push_whole, layer), ("push-chunked", push_chunked, encoded)):
            for side in sides if i % 2 == 0 else reversed(sides):
                seconds = send(side.place, "bench/layer", body, digest)
                if i > 0:
                    took[what, side.name].append(seconds)
            if what == "push":
                for side in sides if i % 2 == 0 else reversed(sides):
                    seconds = pull(side.place, "bench/layer", digest, size, buffer)
                    if i > 0:
                        took["pull", side.name].append(seconds)
                took["pull", LIMIT].append(pull(bare.place, "bench/layer", digest, size, buffer))
            forgotten(sides, house, "bench/layer", digest)
        say(f"registry: round {i}: " + ", ".join(f"{what} {took[what, side.name][-1]:.2f} s {side.name}" for what in ("push", "push-chunked", "pull") for side in sides) if i else "registry: warm")
    bare.close()
    return took


def skopeo(sides, house, root, layer, digest, rounds):
    """The same layer as an image, by skopeo, which hashes what it sends and gets: seconds by (what, side)."""
    folder = os.path.join(root, "image")
    os.makedirs(folder)
    os.link(layer.name, os.path.join(folder, digest[7:]))
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest]}}).encode()
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": len(config)},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": os.fstat(layer.fileno()).st_size}]}
    for name, data in ((digest_of(config)[7:], config), ("manifest.json", json.dumps(manifest).encode()), ("version", b"Directory Transport Version: 1.1\n")):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    took = {(what, side.name): [] for what in ("push", "pull") for side in sides}
    for i in range(rounds):
        for side in sides if i % 2 == 0 else reversed(sides):
            at = f"docker://127.0.0.1:{side.place.port}/bench/image:1"
            took["push", side.name].append(copy(side, f"dir:{folder}", at, "--dest"))
            out = os.path.join(root, "out")
            took["pull", side.name].append(copy(side, at, f"dir:{out}", "--src"))
            shutil.rmtree(out)
        for side in sides:
            side.ask("DELETE", f"/v2/bench/image/manifests/{digest_of(json.dumps(manifest).encode())}", 202)
        forgotten(sides, house, "bench/image", digest)
    return took


def copy(side, source, target, end):
    began = time.perf_counter()
    credentials = [f"{end}-creds", side.credentials] if side.credentials else []
    done = subprocess.run(["skopeo", "copy", "--preserve-digests", f"{end}-tls-verify=false", *credentials, source, target], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"skopeo: {done.stderr}")
    return time.perf_counter() - began


def image_of(place, repository, config, layer, tag):
    """What a client sends that pushes an image of two blobs and pulls it again; raises where an answer is not what it has to be."""
    def asked(got, want, what):
        if got[0] not in want:
            raise Refused(f"{what}: {got[0]} {got[2][:200]!r}")
        return got
    for data in (config, layer):
        name = digest_of(data)
        if asked((yield place.request("HEAD", f"/v2/{repository}/blobs/{name}")), (200, 404), "HEAD")[0] == 200:
            continue
        started = asked((yield place.request("POST", f"/v2/{repository}/blobs/uploads/")), (202,), "POST")
        at = path_of(LOCATION.search(started[1]).group(1).decode())
        at += ("&" if "?" in at else "?") + "digest=" + name
        asked((yield place.request("PUT", at, "Content-Type: application/octet-stream\r\n", data)), (201,), "PUT")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": len(config)},
                           "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(layer), "size": len(layer)}]}).encode()
    asked((yield place.request("PUT", f"/v2/{repository}/manifests/{tag}", f"Content-Type: {MANIFEST}\r\n", manifest)), (201,), "manifest")
    got = asked((yield place.request("GET", f"/v2/{repository}/manifests/{tag}", f"Accept: {MANIFEST}\r\n")), (200,), "manifest")
    if got[2] != manifest:
        raise Refused("another manifest came back")
    if asked((yield place.request("GET", f"/v2/{repository}/blobs/{digest_of(layer)}")), (200,), "blob")[2] != layer:
        raise Refused("another layer came back")


def crowd(side, clients, rounds):
    def one(who):
        for n in range(rounds):
            layer = f"{side.name} {who} {n} ".encode() * 1000
            yield from image_of(side.place, f"crowd/r{who % 20}", f'{{"who": {who}}}'.encode(), layer, f"t{who}-{n}")
    return Crowd(side.place, [one(who) for who in range(clients)]).run()


def many_tags(side, count, at_once=50):
    """The same small image under so many tags."""
    config = b"{}"
    Crowd(side.place, [image_of(side.place, "tags/many", config, b"layer", "first")]).run()
    _, manifest = side.ask("GET", "/v2/tags/many/manifests/first", 200, f"Accept: {MANIFEST}\r\n")

    def some(first):
        for n in range(first, count, at_once):
            got = yield side.place.request("PUT", f"/v2/tags/many/manifests/t{n:05}", f"Content-Type: {MANIFEST}\r\n", manifest)
            if got[0] != 201:
                raise Refused(f"tag: {got[0]} {got[2][:200]!r}")
    Crowd(side.place, [some(first) for first in range(1, at_once + 1)]).run()


def list_tags(side, count):
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", side.place.port, timeout=60)
    connection.request("GET", "/v2/tags/many/tags/list", headers=side.headers)
    body = connection.getresponse().read()
    connection.close()
    seconds = time.perf_counter() - began
    if len(json.loads(body)["tags"]) != count:
        raise RuntimeError(f"{side.name}: not all tags are listed")
    return seconds


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(program, quick, say):
    if not shutil.which(PEER):
        say(f"registry: {PEER} is not installed: SLIPWAY_TEST_TOOLS=1 script/setup none")
        return []
    root = scratch("registry")
    memory = tempfile_in_memory()
    house = House(program, os.path.join(root, "data"), os.path.join(root, "log"))
    peer = None
    try:
        house.start()
        peer = DockerRegistry(os.path.join(root, "peer"), free_port())
        ours, theirs = Side("slipway", Place(house.port, basic("bench", house.token)), house.process), Side(PEER, peer.place, peer.process)
        ours.credentials, ours.headers = f"bench:{house.token}", {"Authorization": basic("bench", house.token)}
        return figures([ours, theirs], house, memory, quick, say)
    finally:
        if peer:
            peer.stop()
        house.down()
        for folder in (root, memory):
            shutil.rmtree(folder, ignore_errors=True)


def tempfile_in_memory():
    return tempfile.mkdtemp(prefix="slipway-bench-layer.", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def figures(sides, house, memory, quick, say):
    megabytes, rounds = 500, 3 if quick else 5
    ours, theirs = sides
    layer, digest = make_layer(memory, megabytes)
    encoded = encoded_copy(layer, memory)
    idle = {side.name: resident(side.pid) for side in sides}
    for side in sides:
        forget_peak(side.pid)
    took = transfers(sides, house, layer, encoded, digest, rounds, say)
    peak = {side.name: peak_mb(side.pid) for side in sides}
    out = []
    for what, said in (("push", "POST, then PUT with the body"), ("push-chunked", "POST, PATCH in the chunked coding, PUT, as skopeo does"), ("pull", "GET, nothing done with the bytes")):
        mine, other = took[what, ours.name], took[what, theirs.name]
        out.append(share_of(f"registry/{what}", median(mine), "s", median(other), PEER, 0.5, samples=mine, note=f"{megabytes} MB; {said}; ours {spread(mine)} s, {PEER} {spread(other)} s"))
    mine, limit = took["pull", ours.name], took["pull", LIMIT]
    out.append(share_of("registry/pull-limit", median(mine), "s", median(limit), LIMIT, 1.5, samples=mine, note=f"the same pull from a process that does nothing but sendfile, {spread(limit)} s"))
    out.append(share_of("registry/memory", peak[ours.name] - idle[ours.name], "MB", peak[theirs.name] - idle[theirs.name], PEER, 0.5,
                        note="highest resident while these go over, less what was resident before"))
    out.append(Figure("registry/memory-all", peak[ours.name], "MB", against=peak[theirs.name], peer=PEER, note="the same with what was there before: ours is all of slipway"))
    if shutil.which("skopeo"):
        took = skopeo(sides, house, memory, layer, digest, 2 if quick else 5)
        for what in ("push", "pull"):
            mine, other = took[what, ours.name], took[what, theirs.name]
            out.append(Figure(f"registry/skopeo-{what}", median(mine), "s", against=median(other), peer=PEER, samples=mine, note=f"skopeo hashes every byte as well: ours {spread(mine)} s, {PEER} {spread(other)} s"))
    out += many(sides, quick, say)
    return out


def many(sides, quick, say):
    ours, theirs = sides
    clients, rounds, count = 200, 3 if quick else 10, 10_000
    crowds, tags = {}, {}
    for side in sides:
        forget_peak(side.pid)
        began = time.perf_counter()
        got = crowds[side.name] = crowd(side, clients, rounds)
        got.took, got.peak = time.perf_counter() - began, peak_mb(side.pid)
        say(f"registry: {clients} clients, {side.name}: {len(got.seconds)} requests in {got.took:.1f} s, p50 {quantile(got.seconds, 0.5) * 1000:.0f} ms, p99 {quantile(got.seconds, 0.99) * 1000:.0f} ms, {len(got.failed)} failed")
        many_tags(side, count)
        tags[side.name] = [list_tags(side, count) for _ in range(5)]
    mine, other = crowds[ours.name], crowds[theirs.name]
    out = []
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        out.append(share_of(f"registry/crowd-{name}", quantile(mine.seconds, share) * 1000, "ms", quantile(other.seconds, share) * 1000, PEER, 1.0, note=f"a request of {clients} clients at once, each pushing and pulling {rounds} images"))
    out.append(at_most("registry/crowd-failed", len(mine.failed), "", 0, note=f"of {clients} clients; {PEER}: {len(other.failed)}"))
    out.append(share_of("registry/crowd-memory", mine.peak, "MB", other.peak, PEER, 1.0, note="highest resident meanwhile, of all of slipway"))
    out.append(share_of("registry/tags", median(tags[ours.name]) * 1000, "ms", median(tags[theirs.name]) * 1000, PEER, 0.5, samples=[1000 * s for s in tags[ours.name]], note=f"{count} tags of a repository in one list"))
    return out
