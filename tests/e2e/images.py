"""Images in CI: jobs in containers, services, images of ours by every name and of other registries; clear errors."""
import json

import harness
from harness import House, check, get_path, need_root, phase

HEAD = "on: push\njobs:\n"
JOB = """  %s:
    runs-on: x
    container: %s
    steps:
      - run: test -x /bin/busybox && ! test -e /usr/bin/git && echo inside
"""


def jobs(house, repository, workflow, files=()):
    shop = house.git(repository)
    shop.write(".github/workflows/ci.yml", workflow)
    for path, text in files:
        shop.write(path, text)
    commit = shop.commit("A change")
    shop.push("HEAD:main")
    run = house.runs_of(commit)[0]
    return run, {j["key"]: j for j in run["status"].get("jobs", [])}


def test_names_of_our_own(house):
    house.push_busybox()
    text = HEAD + JOB % ("named", "registry.slipway.local/base/busybox:1") + JOB % ("bare", "base/busybox:1") + JOB % ("address", f"127.0.0.1:{house.port}/base/busybox:1") + """  service:
    runs-on: x
    services:
      web: {image: "base/busybox:1"}
    steps: [{run: echo there}]
"""
    run, of = jobs(house, "names", text)
    check(phase(run) == "Succeeded" and len(of) == 4, run["status"])


def test_an_image_of_another_registry(house):
    with House() as other:
        other.push_busybox("team/tool", "2")
        run, of = jobs(house, "elsewhere", HEAD + JOB % ("there", f"127.0.0.1:{other.port}/team/tool:2"))
        check(phase(run) == "Succeeded", run["status"])
    again, of = jobs(house, "elsewhere-again", HEAD + JOB % ("there", f"127.0.0.1:{other.port}/team/tool:2"))
    check(phase(again) == "Succeeded", "it is pulled once: " + str(again["status"]))


def test_an_image_that_is_nowhere(house):
    run, of = jobs(house, "nowhere", HEAD + JOB % ("missing", "registry.slipway.local/no/such:1") + JOB % ("refused", "127.0.0.1:1/no/such:1"))
    check(phase(run) == "Failed", run["status"])
    check("no/such:1" in of["missing"]["message"] and "no such image" in of["missing"]["message"], of["missing"]["message"])
    check("127.0.0.1:1" in of["refused"]["message"], of["refused"]["message"])


BUILD = """  build:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with: {context: ., push: true, tags: "%s"}
"""


def test_builds(house):
    house.push_busybox()
    run, of = jobs(house, "builds", HEAD + BUILD % "registry.slipway.local/acme/app:1", [("Dockerfile", "FROM base/busybox:1\nCOPY file /file\n"), ("file", "x\n")])
    check(phase(run) == "Succeeded", run["status"])
    check(house.http("GET", "/v2/acme/app/manifests/1", headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})[0] == 200, "it is in the registry")
    bad, of = jobs(house, "bad-dockerfile", HEAD + BUILD % "acme/bad:1", [("Dockerfile", "FROM base/busybox:1\nRNU ls\n")])
    check(phase(bad) == "Failed" and "Dockerfile:2:1" in of["build"]["message"], bad["status"])
    failing, of = jobs(house, "bad-step", HEAD + BUILD % "acme/bad:1", [("Dockerfile", "FROM base/busybox:1\nRUN echo why not; exit 3\n")])
    check(phase(failing) == "Failed" and "Dockerfile:2" in of["build"]["message"] and "3" in of["build"]["message"], failing["status"])
    elsewhere, of = jobs(house, "push-elsewhere", HEAD + BUILD % "ghcr.io/acme/app:1", [("Dockerfile", "FROM base/busybox:1\n")])
    check(phase(elsewhere) == "Failed" and "ghcr.io" in of["build"]["message"], elsewhere["status"])


def test_run_on_the_working_tree(house):
    """`slipway run` without a server: images of the store of --data, and what it builds goes there."""
    house.push_busybox()
    root = harness.folder()
    text = HEAD + JOB % ("inside", "base/busybox:1") + BUILD % "acme/local:1"
    harness.write(root, ".github/workflows/ci.yml", text)
    harness.write(root, "Dockerfile", "FROM base/busybox:1\nCOPY Dockerfile /file\n")
    done = harness.slipway("run", "-C", root, "--data", house.data)
    check(done.returncode == 0 and "inside" in done.stdout, done.all)
    check(house.http("GET", "/v2/acme/local/tags/list")[0] == 200, "what was built is in the store")
    told = harness.slipway("run", "-C", root, "--data", house.data, "--job", "inside", "--output", "json")
    document = json.loads(told.stdout)
    check(document["conclusion"] == "success" and [j["key"] for j in document["jobs"] if j["conclusion"] == "success"] == ["inside"], told.all)
    harness.write(root, ".github/workflows/ci.yml", HEAD + JOB % ("inside", "127.0.0.1:1/no/such:1"))
    failed = harness.slipway("run", "-C", root, "--data", house.data)
    check(failed.returncode == 1 and "127.0.0.1:1" in failed.all, failed.all)


KIND = """      - uses: helm/kind-action@v1
      - run: |
          kubectl run app --image=acme/tried:1 --command -- /bin/busybox sh -c 'trap exit TERM; cat /made; sleep 60 & wait'
          kubectl wait --for=condition=Ready pod/app --timeout=20s
          kubectl logs app
"""


def test_a_cluster_of_a_job_runs_what_it_built(house):
    house.push_busybox()
    harness.need("kubectl")
    run, of = jobs(house, "tried", HEAD + BUILD % "registry.slipway.local/acme/tried:1" + KIND, [("Dockerfile", "FROM base/busybox:1\nRUN echo it was built here >/made\n")])
    log = house.http("GET", f"/logs/{run['metadata']['name']}/build")[1]
    check(phase(run) == "Succeeded" and " 1 it was built here" in log, log)


harness.main(globals())
