"""Clients of a registry that cost little themselves, so that what is measured is the server: bodies by sendfile, answers
into one buffer, and hundreds of connections in one thread."""
import os
import re
import selectors
import socket
import struct
import subprocess
import tempfile
import time

HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.I)
LOCATION = re.compile(rb"\r\nlocation:\s*(\S+)", re.I)


class Refused(RuntimeError):
    pass


class Place:
    """Where a registry listens, and as whom it is asked."""

    def __init__(self, port, authorization=""):
        self.port = port
        self.head = f"Host: 127.0.0.1:{port}\r\n" + (f"Authorization: {authorization}\r\n" if authorization else "")

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # the kernel's: sendfile wants a blocking socket
            connection.setsockopt(socket.SOL_SOCKET, way, struct.pack("ll", 60, 0))
        return connection

    def request(self, method, target, headers="", body=b""):
        length = "" if "Transfer-Encoding" in headers or "Content-Length" in headers else f"Content-Length: {len(body)}\r\n"
        return f"{method} {target} HTTP/1.1\r\n{self.head}{length}{headers}\r\n".encode() + body


def path_of(location):
    """A Location may be absolute, of another name of the same server."""
    return re.sub(r"^https?://[^/]+", "", location)


def answer(connection):
    """Status, head and body of one answer that has a length."""
    got = b""
    while HEAD_END not in got:
        more = connection.recv(65536)
        if not more:
            raise Refused("the connection ended")
        got += more
    head, _, body = got.partition(HEAD_END)
    length = LENGTH.search(head)
    while length and len(body) < int(length.group(1)):
        body += connection.recv(65536)
    return int(head[9:12]), head, body


def call(connection, request, want):
    connection.sendall(request)
    status, head, body = answer(connection)
    if status != want:
        raise Refused(f"{request[:80]!r}: {status}, want {want}: {body[:200]!r}")
    return head, body


def upload_at(place, connection, repository):
    head, _ = call(connection, place.request("POST", f"/v2/{repository}/blobs/uploads/"), 202)
    return path_of(LOCATION.search(head).group(1).decode())


def send_file(connection, file):
    size, at = os.fstat(file.fileno()).st_size, 0
    while at < size:
        at += os.sendfile(connection.fileno(), file.fileno(), at, size - at)


def finish(place, connection, location, digest, headers="", body=None):
    connection.sendall(place.request("PUT", location + ("&" if "?" in location else "?") + f"digest={digest}", headers))
    if body:
        send_file(connection, body)
    status, _, text = answer(connection)
    if status != 201:
        raise Refused(f"PUT: {status}: {text[:200]!r}")


def push_whole(place, repository, file, digest):
    """POST, then PUT with the body: seconds."""
    began = time.perf_counter()
    with place.connect() as connection:
        size = os.fstat(file.fileno()).st_size
        finish(place, connection, upload_at(place, connection, repository), digest, f"Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n", file)
    return time.perf_counter() - began


def push_chunked(place, repository, encoded, digest):
    """As skopeo, podman and buildah do: POST, PATCH with a body in pieces of 32 kB whose length is not known, PUT."""
    began = time.perf_counter()
    with place.connect() as connection:
        location = upload_at(place, connection, repository)
        connection.sendall(place.request("PATCH", location, "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n"))
        send_file(connection, encoded)
        status, head, text = answer(connection)
        if status != 202:
            raise Refused(f"PATCH: {status}: {text[:200]!r}")
        finish(place, connection, path_of(LOCATION.search(head).group(1).decode()), digest)
    return time.perf_counter() - began


def pull(place, repository, digest, size, buffer):
    """GET into a buffer that is written over: seconds."""
    began = time.perf_counter()
    with place.connect() as connection:
        connection.sendall(place.request("GET", f"/v2/{repository}/blobs/{digest}"))
        got = b""
        while HEAD_END not in got:
            got += connection.recv(4096)
        left = size - len(got.partition(HEAD_END)[2])
        if got[9:12] != b"200":
            raise Refused(f"GET: {got[:200]!r}")
        while left > 0:
            read = connection.recv_into(buffer)
            if read == 0:
                raise Refused(f"GET: {left} bytes are missing")
            left -= read
    return time.perf_counter() - began


class BareSender:
    """The least that a server can do: the file by sendfile to whoever asks for anything. A process of its own."""

    def __init__(self, file):
        listener = socket.create_server(("127.0.0.1", 0))
        self.place = Place(listener.getsockname()[1])
        self.pid = os.fork()
        if self.pid == 0:
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        while HEAD_END not in connection.recv(65536):
                            pass
                        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {os.fstat(file.fileno()).st_size}\r\n\r\n".encode())
                        send_file(connection, file)
            finally:
                os._exit(0)
        listener.close()

    def close(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


class Crowd:
    """Many clients at once, each on a connection of its own: a client is a generator that yields requests and gets
    (status, head, body) of each."""

    def __init__(self, place, clients):
        self.place, self.clients = place, clients
        self.seconds, self.failed = [], []

    def run(self):
        chooser = selectors.DefaultSelector()
        for client in self.clients:
            connection = self.place.connect()
            connection.setblocking(False)
            state = {"connection": connection, "client": client, "out": b"", "in": b""}
            chooser.register(connection, selectors.EVENT_WRITE, state)
            self._next(chooser, state, None)
        while chooser.get_map():
            ready = chooser.select(60)
            if not ready:
                raise Refused("no answer for a minute")
            for key, events in ready:
                try:
                    self._step(chooser, key.data, events)
                except OSError as error:
                    self.failed.append(str(error))
                    self._end(chooser, key.data)
        return self

    def _next(self, chooser, state, got):
        try:
            state["out"] = state["client"].send(got)
        except StopIteration:
            return self._end(chooser, state)
        except Refused as error:
            self.failed.append(str(error))
            return self._end(chooser, state)
        state["in"], state["bare"], state["began"] = b"", state["out"].startswith(b"HEAD "), time.perf_counter()
        self._write(chooser, state)

    def _write(self, chooser, state):
        try:
            state["out"] = state["out"][state["connection"].send(state["out"]):]
        except BlockingIOError:
            pass
        chooser.modify(state["connection"], selectors.EVENT_WRITE if state["out"] else selectors.EVENT_READ, state)

    def _step(self, chooser, state, events):
        if events & selectors.EVENT_WRITE:
            return self._write(chooser, state)
        more = state["connection"].recv(1 << 20)
        if not more:
            self.failed.append("the connection ended")
            return self._end(chooser, state)
        state["in"] += more
        head, end, body = state["in"].partition(HEAD_END)
        if not end:
            return None
        length = LENGTH.search(head)
        if length and not state["bare"] and len(body) < int(length.group(1)):
            return None
        self.seconds.append(time.perf_counter() - state["began"])
        return self._next(chooser, state, (int(head[9:12]), head, body))

    def _end(self, chooser, state):
        chooser.unregister(state["connection"])
        state["connection"].close()


class DockerRegistry:
    """Debian's docker-registry with its defaults, files below `root`."""

    def __init__(self, root, port):
        os.makedirs(root, exist_ok=True)
        config = os.path.join(root, "config.yml")
        with open(config, "w") as file:
            file.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: '{root}/data', maxthreads: 1000}}\n  delete: {{enabled: true}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
        self.log = open(os.path.join(root, "log"), "ab")
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdout=self.log, stderr=self.log)
        self.place = Place(port)
        for _ in range(200):
            try:
                with self.place.connect() as connection:
                    call(connection, self.place.request("GET", "/v2/"), 200)
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("docker-registry: does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def forget_peak(pid):
    """The kernel's high-water mark of resident memory starts anew."""
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def peak_mb(pid):
    return resident(pid, "VmHWM")


def resident(pid, field="VmRSS"):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def encoded_copy(source, folder, piece=32 << 10):
    """The same bytes in the chunked coding."""
    target = tempfile.NamedTemporaryFile(dir=folder, delete=False)
    source.seek(0)
    while data := source.read(piece):
        target.write(b"%x\r\n%b\r\n" % (len(data), data))
    target.write(b"0\r\n\r\n")
    target.flush()
    return target
