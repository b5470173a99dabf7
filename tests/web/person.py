"""A person before the page, in a browser of their own: what they see is waited for, what happens is told to them."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "../e2e"))
import harness  # noqa: E402
from harness import ENV, check, need, skip  # noqa: E402

LIBRARY = os.path.join(HERE, "../../web/node_modules/playwright-core/index.mjs")


class Person:
    def __init__(self, house: harness.House, script):
        need("node", "chromium")
        if not os.path.exists(LIBRARY):
            skip("no web/node_modules: script/setup brings them")
        if house.http("GET", "/", token=False)[0] == 503:
            skip("this slipway was built without a page: script/setup builds it")
        self.process = subprocess.Popen(["node", os.path.join(HERE, script), LIBRARY, house.url, house.token],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**ENV, "HOME": house.root})

    def until(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            self.process.kill()
            check(False, f"waited for \"{word}\", got \"{line}\": {self.process.stderr.read()}")

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.until("done")
            check(self.process.wait(10) == 0, "the browser did not end well")
        self.process.kill()
        self.process.wait()
