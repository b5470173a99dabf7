"""Signatures and provenance of images, and policies that want them. Beside stock cosign where it is installed."""
import base64
import json
import os
import shutil

import harness
from harness import House, check, folder, need, need_root, one_error, phase, run, write

WORKFLOW = """on: push
jobs:
  build:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with: {context: ., push: true, tags: "registry.slipway.local/acme/app:1"}
"""
POLICY = """apiVersion: slipway.dev/v1
kind: ImagePolicy
metadata: {name: %s, namespace: slipway-system}
spec:
  namespaces: [guarded]
  images: ["%s"]
  %s
"""


def apply(house, text, check_it=True):
    path = write(house.root, "object.yaml", text)
    return house.kubectl("apply", "-f", path, check_it=check_it)


def pod(name, image):
    return f"""apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: guarded}}
spec: {{restartPolicy: Never, containers: [{{name: app, image: "{image}", command: [/bin/busybox, "true"]}}]}}
"""


def test_what_the_house_builds_is_signed(house):
    need_root()
    house.push_busybox()
    app = house.git("app")
    app.write(".github/workflows/ci.yml", WORKFLOW)
    app.write("Dockerfile", "FROM base/busybox:1\nCOPY Dockerfile /file\n")
    commit = app.commit("A build")
    app.push("HEAD:main")
    check(phase(house.runs_of(commit)[0]) == "Succeeded", house.runs_of(commit)[0]["status"])
    result = house.cli("image", "verify", "acme/app:1")
    check(result.returncode == 0 and "signature" in result.stdout, result.all)
    result = house.cli("image", "verify", "acme/app:1", "--type", "slsaprovenance1", "--output", "json")
    said = json.loads(result.stdout)["found"][0]["predicate"]
    check(said["buildDefinition"]["externalParameters"]["source"] == {"repository": "app", "ref": "refs/heads/main", "commit": commit}, said)
    one_error(house.cli("image", "verify", "base/busybox:1"), 3, "none of 1 keys has signed it")

    house.kubectl("create", "namespace", "guarded")
    apply(house, POLICY % ("ours", "**/acme/app", "house: true\n  attestations: [https://slsa.dev/provenance/v1]"))
    apply(house, POLICY % ("base", "registry.slipway.local/base/*", "house: true"))
    apply(house, pod("good", "registry.slipway.local/acme/app:1"))
    image = house.kubectl("get", "pod", "good", "-n", "guarded", "-o", "jsonpath={.spec.containers[0].image}").stdout
    check(image.startswith("registry.slipway.local/acme/app:1@sha256:"), image)
    result = apply(house, pod("bad", "registry.slipway.local/base/busybox:1"), check_it=False)
    for word in ("container app", "registry.slipway.local/base/busybox:1", "image policy base", "no signature"):
        check(word in result.stderr, f"{word}: {result.stderr}")
    check(result.returncode != 0, "it is admitted")
    # Nor by the way that `kubectl debug` takes.
    brought = json.dumps({"spec": {"ephemeralContainers": [{"name": "look", "image": "registry.slipway.local/base/busybox:1"}]}})
    status, text = house.http("PATCH", "/api/v1/namespaces/guarded/pods/good/ephemeralcontainers", brought, {"Content-Type": "application/strategic-merge-patch+json"})
    check(status == 403 and "image policy base" in text, (status, text))


def test_a_key_of_our_own(house):
    need_root()
    house.push_busybox("mine/tool", "1")
    place = folder()
    env = sign_in(house, place)
    prefix = os.path.join(place, "team")
    check(run(harness.PROGRAM, "key", "new", prefix, env=env).returncode == 0, "a key")
    one_error(harness.slipway("key", "new", prefix), 1, "is there already")
    name = f"127.0.0.1:{house.port}/mine/tool:1"
    one_error(run(harness.PROGRAM, "image", "sign", name, "--key", prefix + ".key", env={**env, "COSIGN_PASSWORD": "wrong"}), 3, "the password does not open it")
    result = run(harness.PROGRAM, "image", "sign", name, "--key", prefix + ".key", "-a", "team=a", env=env)
    check(result.returncode == 0, result.all)
    sbom = write(place, "sbom.json", '{"bomFormat": "CycloneDX", "specVersion": "1.5"}')
    result = run(harness.PROGRAM, "image", "attest", name, "--key", prefix + ".key", "--type", "cyclonedx", "--predicate", sbom, env=env)
    check(result.returncode == 0, result.all)
    for words in ([], ["--type", "cyclonedx"]):
        result = run(harness.PROGRAM, "image", "verify", name, "--key", prefix + ".pub", *words, env=env)
        check(result.returncode == 0, result.all)
    house.kubectl("create", "namespace", "guarded", check_it=False)
    key = "".join("      " + line for line in open(prefix + ".pub").readlines())
    apply(house, POLICY % ("team", "registry.slipway.local/mine/*", "keys:\n  - |\n" + key))
    apply(house, pod("tool", "registry.slipway.local/mine/tool:1"))
    result = apply(house, POLICY % ("broken", "x", "keys: [no key]"), check_it=False)
    check(result.returncode != 0 and "no public key" in result.stderr, result.all)


def sign_in(house, place):
    """Docker's configuration with the administrator's token: an environment."""
    auth = base64.b64encode(f"admin:{house.token}".encode()).decode()
    write(place, "docker/config.json", json.dumps({"auths": {f"127.0.0.1:{house.port}": {"auth": auth}}}))
    return {**harness.ENV, "COSIGN_PASSWORD": "open sesame", "DOCKER_CONFIG": os.path.join(place, "docker"), "REGISTRY_AUTH_FILE": os.path.join(place, "docker/config.json"),
            "HOME": place, "SLIPWAY_DATA": os.path.join(place, "data")}


def test_containers_policy_agrees(house):
    """What podman, CRI-O and skopeo verify by: containers-policy.json with sigstoreSigned, and what they sign."""
    need("skopeo")
    place = folder()
    env = sign_in(house, place)
    for name in ("signed", "plain", "others"):
        house.push_busybox(f"checked/{name}", "1")
    ours = lambda *words: run(harness.PROGRAM, *words, env=env)
    key, other = os.path.join(place, "team"), os.path.join(place, "other")
    for prefix in (key, other):
        check(ours("key", "new", prefix).returncode == 0, "a key")
    at = f"127.0.0.1:{house.port}/checked"
    for name, by in (("signed", key), ("others", other)):
        result = ours("image", "sign", f"{at}/{name}:1", "--key", by + ".key")
        check(result.returncode == 0, result.all)
    write(place, "registries.d/default.yaml", "default-docker:\n  use-sigstore-attachments: true\n")
    policy = write(place, "policy.json", json.dumps({"default": [{"type": "reject"}], "transports": {"docker": {
        at: [{"type": "sigstoreSigned", "keyPath": key + ".pub", "signedIdentity": {"type": "matchRepository"}}]}}}))

    def skopeo(*words):
        return run("skopeo", "--policy", policy, "--registries.d", os.path.join(place, "registries.d"), "copy", "--src-tls-verify=false", *words, env=env, cwd=place)

    result = skopeo("--remove-signatures", f"docker://{at}/signed:1", "dir:signed")
    if "sigstore disabled" in result.stderr:
        harness.skip("skopeo is built without sigstore, as Debian has it")
    check(result.returncode == 0, f"skopeo verifies what we signed: {result.all}")
    for name, why in (("plain", "signature was required, but no signature exists"), ("others", "signature")):
        result = skopeo("--remove-signatures", f"docker://{at}/{name}:1", f"dir:{name}")
        check(result.returncode != 0 and why in result.stderr, result.all)

    if "--sign-by-sigstore-private-key" not in run("skopeo", "copy", "--help").all:
        return  # one that only verifies
    passphrase = write(place, "passphrase", "open sesame")
    write(place, "policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
    result = skopeo("--dest-tls-verify=false", "--sign-by-sigstore-private-key", key + ".key", "--sign-passphrase-file", passphrase, f"docker://{at}/plain:1", f"docker://{at}/plain:2")
    check(result.returncode == 0, f"skopeo signs with our key: {result.all}")
    result = ours("image", "verify", f"{at}/plain:2", "--key", key + ".pub")
    check(result.returncode == 0, f"we verify what skopeo signed: {result.all}")
    one_error(ours("image", "verify", f"{at}/plain:2", "--key", other + ".pub"), 3, "has signed it; 1 by others")


def test_signatures_are_no_images_of_their_own(house):
    house.push_busybox("listed/tool", "1")
    shown = lambda *words: {(i["repository"], i["tag"]): i["signed"] for i in json.loads(house.cli("image", "ls", "listed/*", *words, "--output", "json").stdout)}
    check(shown() == {("listed/tool", "1"): False}, shown())
    check(house.cli("image", "sign", "listed/tool:1").returncode == 0, "signed by the house's key")
    check(shown() == {("listed/tool", "1"): True}, shown())
    check(len(shown("--all")) == 2, shown("--all"))


def test_stock_cosign_agrees(house):
    need_root()
    if not shutil.which("cosign"):
        harness.skip("cosign is not installed: SLIPWAY_TEST_TOOLS=1 SLIPWAY_COSIGN=1 script/setup none builds it where Go is")
    house.push_busybox("both/tool", "1")
    place = folder()
    name = f"127.0.0.1:{house.port}/both/tool"
    env = sign_in(house, place)
    trusted = write(place, "root.json", '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')

    def cosign(*words, want=0):
        result = run("cosign", *words, env=env, cwd=place, timeout=60)
        check((result.returncode == 0) == (want == 0), f"cosign {' '.join(words)}: {result.all}")
        return result

    digest = json.loads(house.cli("image", "inspect", "both/tool:1", "--output", "json").stdout)["digest"]
    image = f"{name}@{digest}"
    offline = ["--insecure-ignore-tlog=true", "--allow-http-registry"]
    bundles = [*offline, "--new-bundle-format", "--trusted-root", trusted]

    def ours(*words, want=0):
        result = run(harness.PROGRAM, *words, env=env)
        check(result.returncode == want, f"slipway {' '.join(words)}: {result.all}")

    # We sign by its key, it verifies: both formats.
    cosign("generate-key-pair")
    cosign("verify", "--key", "cosign.pub", *offline, image, want=1)
    write(place, "p.json", '{"builder": {"id": "x"}}')
    ours("image", "sign", image, "--key", os.path.join(place, "cosign.key"), "-a", "team=a")
    ours("image", "attest", image, "--key", os.path.join(place, "cosign.key"), "--predicate", os.path.join(place, "p.json"))
    said = json.loads(cosign("verify", "--key", "cosign.pub", *offline, image).stdout)
    check(said[0]["optional"] == {"team": "a"}, said)
    for kind in ("slsaprovenance1", "https://sigstore.dev/cosign/sign/v1"):
        cosign("verify-attestation", "--key", "cosign.pub", *bundles, "--type", kind, image)
    # It signs by our key, we verify: both formats.
    ours("key", "new", os.path.join(place, "mine"))
    mine = ["--key", os.path.join(place, "mine.pub")]
    cosign("verify", "--key", "mine.pub", *offline, image, want=1)
    ours("image", "verify", image, *mine, want=3)
    cosign("sign", "--key", "mine.key", "--tlog-upload=false", "--allow-http-registry", "--yes", image)
    ours("image", "verify", image, *mine)
    write(place, "cyclonedx", '{"bomFormat": "CycloneDX", "specVersion": "1.5"}')
    write(place, "spdxjson", '{"spdxVersion": "SPDX-2.3"}')
    for form, kind in (([], "cyclonedx"), (["--new-bundle-format"], "spdxjson")):
        ours("image", "verify", image, *mine, "--type", kind, want=3)
        cosign("attest", "--key", "mine.key", "--tlog-upload=false", "--allow-http-registry", "--yes", *form, "--type", kind, "--predicate", kind, image)
        ours("image", "verify", image, *mine, "--type", kind)


harness.main(globals())
