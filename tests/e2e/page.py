"""The page, in a real browser, before a real Slipway: what is pushed shows at once, hostile text stays text, a merge is a
press of a button, and a Slipway that went away is taken up again."""
import os
import subprocess
import urllib.request

import harness
from harness import ENV, HERE, HOME, House, check, get_path, need, skip

WORKFLOW = """on: [push, pull_request]
jobs:
  greet:
    runs-on: x
    steps:
      - run: echo "hello from the log <img src=x onerror=pwned=1>"
  after:
    needs: greet
    runs-on: x
    steps:
      - run: echo done
"""
LIBRARY = os.path.join(HERE, "../../web/node_modules/playwright-core/index.mjs")


def test_the_page(house: House):
    need("node", "chromium")
    if not os.path.exists(LIBRARY):
        skip("no web/node_modules: script/setup brings them")
    with urllib.request.urlopen(house.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    check("default-src 'self'" in policy and "unsafe" not in policy, policy)
    person = subprocess.Popen(["node", os.path.join(HERE, "page.mjs"), LIBRARY, house.url, house.token], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**ENV, "HOME": house.root})

    def until(word):
        line = person.stdout.readline().strip()
        if line != word:
            person.kill()
            check(False, f"waited for \"{word}\", got \"{line}\": {person.stderr.read()}")

    def tell(word):
        person.stdin.write(word + "\n")
        person.stdin.flush()

    try:
        until("empty")
        app = house.git("app")
        app.write(".github/workflows/ci.yml", WORKFLOW)
        app.commit("First <img src=x onerror=pwned=1>")
        app.push("HEAD:main")
        tell("pushed")
        until("run")
        app.write("louder", "yes\n")
        head = app.commit("Say it louder")
        app.push("HEAD:refs/for/main")
        house.wait("PullRequest", lambda prs: next((p for p in prs if get_path(p, "spec", "head") == head and get_path(p, "status", "checksState") == "Succeeded"), None), "the checks", ns=HOME)
        tell("asked")
        until("merged")
        until("looking")
        house.stop()
        tell("stopped")
        until("away")
        house.start()
        tell("started")
        app.git("fetch", "-q", "origin", "main")
        app.git("reset", "-q", "--hard", "FETCH_HEAD")
        app.write("break", "over\n")
        app.commit("After the break")
        app.push("HEAD:refs/heads/topic")
        tell("pushed")
        until("back")
        until("done")
        check(person.wait(10) == 0, "the browser did not end well")
    finally:
        person.kill()


if __name__ == "__main__":
    harness.main(globals())
