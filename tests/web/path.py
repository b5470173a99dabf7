"""The page, in a real browser, before a real Slipway: what is pushed shows at once, hostile text stays text, a merge is a
press of a button, logs come line by line, and a Slipway that went away is taken up again."""
import urllib.request

from person import Person  # first: it knows where the harness is
from harness import HOME, House, check, get_path, main

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
SLOW = """on: push
jobs:
  slow:
    runs-on: x
    steps:
      - run: echo first line
      - run: sleep 5 && echo last line
"""


def test_the_page(house: House):
    with urllib.request.urlopen(house.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    check("default-src 'self'" in policy and "unsafe" not in policy, policy)
    with Person(house, "path.mjs") as ada:
        ada.until("empty")
        app = house.git("app")
        app.write(".github/workflows/ci.yml", WORKFLOW)
        app.commit("First <img src=x onerror=pwned=1>")
        app.push("HEAD:main")
        ada.tell("pushed")
        ada.until("run")
        app.write("louder", "yes\n")
        head = app.commit("Say it louder")
        app.push("HEAD:refs/for/main")
        house.wait("PullRequest", lambda prs: next((p for p in prs if p["spec"]["head"] == head and get_path(p, "status", "checksState") == "Succeeded"), None), "the checks", ns=HOME)
        ada.tell("asked")
        ada.until("merged")
        app.git("fetch", "-q", "origin", "main")
        app.git("reset", "-q", "--hard", "FETCH_HEAD")
        app.write(".github/workflows/ci.yml", SLOW)
        app.commit("A slow job")
        app.push("HEAD:refs/heads/slow")
        ada.tell("slow")
        ada.until("reading")
        house.stop()
        ada.tell("stopped")
        ada.until("away")
        house.start()
        ada.tell("started")
        ada.until("back")
        app.write("break", "over\n")
        app.commit("After the break")
        app.push("HEAD:refs/heads/topic")
        ada.tell("pushed")
        ada.until("seen")


if __name__ == "__main__":
    main(globals())
