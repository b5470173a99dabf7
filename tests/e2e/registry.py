"""The registry by its rules: rights by token, immutable tags, quotas, retention, garbage collection beside a running
slipway, a mirror, a certificate of one's own, and kill -9 in the middle of pushes."""
import hashlib
import http.client
import json
import os
import random
import threading
import time

import harness
from harness import HOME, House, basic, check, need, one_error, run, until

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def rules(house, text, check_it=True):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "registry", "namespace": HOME}, "data": {"settings.yaml": text}}
    return house.kubectl("apply", "-f", "-", input=json.dumps(config), check_it=check_it)


def add_user(house, name):
    """A person who is no administrator."""
    return house.cli("user", "add", name, "--group", "people").stdout.strip()


def push(house, repository, tag, layer, who):
    """Status of the first step that is refused, or of the last."""
    for data in (b"{}", layer):
        status, text = house.http("POST", f"/v2/{repository}/blobs/uploads/?digest={digest(data)}", data, token=who)
        if status != 201:
            return status, text
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(b"{}"), "size": 2},
                           "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer), "size": len(layer)}]})
    return house.http("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": MANIFEST}, token=who)


def test_rules():
    house = House()
    with house:
        ada = add_user(house, "ada")
        house.stop()
        house.start()
        who = basic("ada", ada)
        check(push(house, "shop/web", "v1", b"one", who)[0] == 201, "without rules every user pushes")
        check(house.http("GET", "/v2/shop/web/manifests/v1", token=False)[0] == 200, "and everybody pulls")

        refused = rules(house, "anonymousPulls: false\nrights:\n- {who: ada, repositories: 'shop/**', may: [write]}\n", check_it=False)
        for word in ("ConfigMap slipway-system/registry: settings.yaml:3:", ".rights[0].may", "want pull, push or delete"):
            check(refused.returncode != 0 and word in refused.stderr, f"{word}: {refused.all}")
        check(house.kubectl("get", "configmap", "registry", "-n", HOME, check_it=False).returncode != 0, "what cannot be read is not written")
        rules(house, """anonymousPulls: false
rights:
- {who: "group:people", repositories: "shop/**", may: [pull, push]}
immutable:
- {repositories: "shop/*", tags: "v*"}
quota:
- {repositories: "shop/small", bytes: 1000}
keep:
- {repositories: "shop/*", tags: ["v*"], untagged: 0s}
""")
        until(lambda: house.http("GET", "/v2/shop/web/manifests/v1", token=False)[0] == 401, "the rules hold")
        check(house.http("GET", "/v2/shop/web/manifests/v1", token=who)[0] == 200, "ada pulls")
        status, text = push(house, "other/web", "v1", b"one", who)
        check(status == 403 and "ada may not push other/web" in text, text)
        status, text = push(house, "shop/web", "v1", b"two", who)
        check(status == 403 and "immutable" in text, text)
        status, text = push(house, "shop/small", "v1", b"x" * 2000, who)
        check(status == 403 and "quota of 1000" in text, text)
        check(house.http("DELETE", "/v2/shop/web/manifests/v1", token=who)[0] == 403, "she may not delete")
        refused = rules(house, "keep: 1\n", check_it=False)
        check(refused.returncode != 0 and "settings.yaml:1:" in refused.stderr, refused.all)
        check(push(house, "shop/web", "v1", b"two", who)[0] == 403, "the rules from before hold")

        check(push(house, "shop/web", "old", b"of no rule" * 1000, who)[0] == 201, "another tag")
        looked = house.cli("image", "expire", "--dry-run", "--output", "json")
        check([e["tag"] for e in json.loads(looked.stdout)["expired"] if e["tag"]] == ["old"], looked.all)
        gone = house.cli("image", "expire")
        check(gone.returncode == 0, gone.all)
        check(house.http("GET", "/v2/shop/web/manifests/old")[0] == 404, "it is gone, and the running slipway knows")
        waiting = json.loads(house.cli("image", "gc", "--output", "json").stdout)
        check(waiting["removed"] == 0 and waiting["waiting"] >= 1, waiting)
        freed = json.loads(house.cli("image", "gc", "--grace", "0s", "--output", "json").stdout)
        check(freed["bytes"] >= 10000, freed)
        check(house.http("GET", f"/v2/shop/web/blobs/{digest(b'one')}")[0] == 200, "what is tagged stays")

        # Commands on the store ask the same rules, beside a running slipway and without one.
        check(push(house, "shop/web", "next", b"three" * 500, who)[0] == 201, "another tag")
        for running in (True, False):
            if not running:
                house.stop()
            one_error(house.cli("image", "rm", "shop/web:v1"), 3, "shop/web:v1: this tag is immutable")
            one_error(house.cli("image", "copy", "shop/web:next", "shop/web:v1"), 3, "this tag is immutable")
            one_error(house.cli("image", "copy", "shop/web:next", "shop/small:1"), 3, "of its quota of 1000")
            check(house.cli("image", "copy", "shop/web:next", f"shop/web:again{running}").returncode == 0, "others are free")
            check(house.cli("image", "rm", f"shop/web:again{running}").returncode == 0, "and go")


def test_clients_sign_in():
    need("skopeo")
    house = House()
    with house:
        ada = add_user(house, "ada")
        house.push_busybox()
        house.stop()
        house.start()
        rules(house, "rights:\n- {who: ada, repositories: 'team/*', may: [pull, push]}\n- {who: anonymous, repositories: 'base/*', may: pull}\n")
        at = f"docker://127.0.0.1:{house.port}"
        copy = ["skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
        until(lambda: house.http("GET", "/v2/team/web/tags/list", token=False)[0] == 401, "the rules hold")
        done = run(*copy, "--dest-creds", f"ada:{ada}", f"{at}/base/busybox:1", f"{at}/team/busybox:1")
        check(done.returncode == 0, done.all)
        refused = run(*copy, "--dest-creds", f"ada:{ada}", f"{at}/base/busybox:1", f"{at}/base/busybox:2")
        check(refused.returncode != 0 and "ada may not push base/busybox" in refused.all, refused.all)
        nobody = run(*copy, f"{at}/team/busybox:1", f"dir:{house.root}/out")
        check(nobody.returncode != 0, nobody.all)


def test_a_mirror():
    need("skopeo")
    with House() as origin, House() as house:
        origin.push_busybox("team/tool", "2")
        rules(house, f"mirrors:\n- {{host: hub.test, url: 'http://127.0.0.1:{origin.port}', fresh: 0s}}\n")
        pull = ["skopeo", "copy", "--src-tls-verify=false", f"docker://127.0.0.1:{house.port}/hub.test/team/tool:2"]
        until(lambda: run(*pull, f"dir:{house.root}/first").returncode == 0, "an image of the other registry")
        origin.stop()
        again = run(*pull, f"dir:{house.root}/again")
        check(again.returncode == 0, again.all)
        one, two = (open(f"{house.root}/{name}/manifest.json", "rb").read() for name in ("first", "again"))
        check(one == two, "what is here is served when the other is away")


def test_a_certificate_of_ones_own():
    need("openssl", "curl")
    house = House()
    certificate, key = os.path.join(house.root, "cert.pem"), os.path.join(house.root, "key.pem")
    made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
               "-subj", "/CN=registry.shop.test", "-addext", "subjectAltName=DNS:registry.shop.test", "-days", "2")
    check(made.returncode == 0, made.all)
    house.extra = ["--tls-cert", certificate]
    one_error(harness.slipway(*house.arguments()), 2, "--tls-cert and --tls-key")
    house.extra = ["--tls-cert", certificate, "--tls-key", key]
    with house:
        asked = run("curl", "-sS", "-i", "--cacert", certificate, "--resolve", f"registry.shop.test:{house.port}:127.0.0.1", f"https://registry.shop.test:{house.port}/v2/")
        check(f'Bearer realm="https://registry.shop.test:{house.port}/v2/_token"' in asked.stdout, asked.all)
        check(run("curl", "-sS", "--cacert", os.path.join(house.data, "pki", "ca.crt"), f"https://127.0.0.1:{house.port}/livez").returncode == 0, "the house's own goes on")
        check(house.kubectl("get", "namespaces").returncode == 0, "kubectl too")


def test_killed_while_people_push():
    """Whole programs, killed: few times; oci_test's Kill does it five hundred times."""
    seed = int(os.environ.get("SLIPWAY_SEED") or random.SystemRandom().randrange(1 << 31))
    print(f"seed {seed} (SLIPWAY_SEED repeats it)")
    dice = random.Random(seed)
    house = House()
    with house:
        told, who = {}, basic("admin", house.token)
        for kill in range(6):
            stop = threading.Event()

            def work(person):
                for n in range(1000):
                    if stop.is_set():
                        return
                    layer = f"{kill} {person} {n}".encode() * 500
                    try:
                        if push(house, f"r{person}", f"t{kill}-{n}", layer, who)[0] == 201:
                            told[f"r{person}", f"t{kill}-{n}"] = layer
                    except (OSError, ValueError, http.client.HTTPException):
                        return

            people = [threading.Thread(target=work, args=(person,)) for person in range(4)]
            for person in people:
                person.start()
            time.sleep(dice.uniform(0.05, 0.5))
            house.kill()
            stop.set()
            for person in people:
                person.join()
            house.start()
            for (repository, tag), layer in told.items():
                check(house.http("GET", f"/v2/{repository}/manifests/{tag}")[0] == 200, f"{repository}:{tag} is lost")
                status, text = house.http("GET", f"/v2/{repository}/blobs/{digest(layer)}")
                check(status == 200 and text.encode() == layer, f"the layer of {repository}:{tag} is lost")
        check(told, "nothing was pushed")
        print(f"{len(told)} pushes were acknowledged, and are there")


harness.main(globals())
