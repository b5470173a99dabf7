"""bench/up: how soon a Slipway is there, and what it costs while nothing happens: memory and writes, with the shop
running, somebody looking at the page."""
import http.client
import os
import shutil
import sys
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from figures import Figure, at_most, median, spread  # noqa: E402
from house import House, Shop, bases, basic, scratch  # noqa: E402

OWN = [f"/apis/slipway.dev/v1/namespaces/slipway-system/{kind}" for kind in ("changes", "workflowruns", "artifacts", "promotions", "releases", "pipelines", "notices")]
PAGE = [*OWN, "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications", "/apis/argoproj.io/v1alpha1/rollouts"]


class Page:
    """What the page holds open: each kind listed once, all watched on one connection."""

    def __init__(self, house):
        of = "&".join("of=" + urllib.parse.quote(f"{path}?watch=1&allowWatchBookmarks=true", safe="") for path in PAGE)
        for path in PAGE:
            house._open("GET", house.url + path).read()
        self.answer = house._open("GET", f"{house.url}/watch?{of}", timeout=600)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while self.answer.read1(65536):
                pass
        except (OSError, ValueError, http.client.IncompleteRead):
            pass  # it was stopped


def memory_mb(pid):
    """Proportional set size: pages shared with others count in shares."""
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def guardians_mb(data):
    """The processes beside ours: one guardian a container, and the first process of those that jobs will run in. What runs
    in the shop's own containers is the shop's."""
    total, count = 0.0, 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            argv = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
            if argv[0].startswith(os.path.join(data, "box/shim-").encode()) or argv[0] == b"/.slipway-steward":
                total, count = total + memory_mb(pid), count + 1
        except OSError:
            pass  # it ended
    return total, count


def written(pid):
    fields = dict(line.split(": ") for line in open(f"/proc/{pid}/io").read().splitlines())
    return int(fields["write_bytes"]) - int(fields["cancelled_write_bytes"])


def ticks(pid):
    words = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def start_times(program, count, say):
    times = []
    for n in range(count):
        root = scratch("up")
        house = House(program, os.path.join(root, "data"), os.path.join(root, "log"))
        try:
            times.append(house.start() * 1000)
            say(f"up: ready after {times[-1]:.0f} ms")
        finally:
            house.down()
            shutil.rmtree(root, ignore_errors=True)
    return times


def measure(program, quick, say):
    times = start_times(program, 3 if quick else 9, say)
    figures = [at_most("up/ready", median(times), "ms", 500, samples=times, note=f"{spread(times)}; from exec to the line that says so, empty data directory")]
    root = scratch("idle")
    house = House(program, os.path.join(root, "data"), os.path.join(root, "log"))
    try:
        house.start()
        bases.push_all(house.url, basic("bench", house.token))
        shop = Shop(house, root)
        shop.release(shop.open())
        page = Page(house)
        seconds = 20 if quick else 60
        time.sleep(15)  # what a push leaves to be done is done: old versions go, lazy writes are written
        pid = house.process.pid
        before, cpu = written(pid), ticks(pid)
        time.sleep(seconds)
        wrote, spent = written(pid) - before, ticks(pid) - cpu
        pss = memory_mb(pid)
        beside, count = guardians_mb(house.data)
        say(f"idle: {pss:.1f} MB, {wrote} bytes written and {spent * 1000:.0f} ms of processor in {seconds} s")
        del page
        figures.append(at_most("up/idle-memory", pss, "MB", 60, note="proportional set size of slipway, the shop running in dev, staging and production, the page's watches open"))
        figures.append(Figure("up/idle-guardians", beside, "MB", note=f"the same of the {count} processes that guard containers or wait for jobs"))
        figures.append(at_most("up/idle-writes", wrote / 1024, "kB", 0, note=f"to disk, in {seconds} s"))
        figures.append(Figure("up/idle-processor", 100 * spent / seconds, "%", note="of one core"))
    finally:
        house.down()
        shutil.rmtree(root, ignore_errors=True)
    return figures
