"""The page of the registry, in a real browser: repositories, tags, images of several platforms, layers, what is said
about an image, findings; text of images stays text."""
import gzip
import hashlib
import io
import json
import tarfile

from person import Person  # first: it knows where the harness is
from harness import House, basic, check, main

OCI = "application/vnd.oci.image"
KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(["MIIEowIBAAKCAQEA" + "q" * 48] * 12) + "\n-----END RSA PRIVATE KEY-----\n"


class Pusher:
    def __init__(self, house, repository):
        self.house, self.repository, self.who = house, repository, basic("admin", house.token)

    def blob(self, data, kind):
        name = "sha256:" + hashlib.sha256(data).hexdigest()
        check(self.house.http("POST", f"/v2/{self.repository}/blobs/uploads/?digest={name}", data, token=self.who)[0] == 201, "a blob")
        return {"mediaType": kind, "digest": name, "size": len(data)}

    def manifest(self, tag, document):
        data = json.dumps(document).encode()
        name = "sha256:" + hashlib.sha256(data).hexdigest()
        status, text = self.house.http("PUT", f"/v2/{self.repository}/manifests/{tag or name}", data, {"Content-Type": document["mediaType"]}, token=self.who)
        check(status == 201, text)
        return {"mediaType": document["mediaType"], "digest": name, "size": len(data)}

    def image(self, architecture):
        layers = [self.layer({"etc/os-release": "ID=debian\nVERSION_ID=12\n", "app": "x" * 40000}), self.layer({"root/id_rsa": KEY, "made": architecture})]
        config = {"architecture": architecture, "os": "linux", "created": "2026-11-25T10:00:00Z",
                  "config": {"User": "nobody", "WorkingDir": "/app", "Entrypoint": ["/app", "--port", "80"], "Cmd": ["a b"],
                             "Env": ["PATH=/bin", "GREETING=<img src=x onerror=pwned=1>"], "Labels": {"org.opencontainers.image.title": "web"}, "ExposedPorts": {"80/tcp": {}}},
                  "rootfs": {"type": "layers", "diff_ids": [d for d, _ in layers]},
                  "history": [{"created_by": "COPY app /app # buildkit"}, {"created_by": "ENV GREETING=x", "empty_layer": True},
                              {"created_by": "RUN /bin/sh -c make <b>all</b> # buildkit"}]}
        return self.manifest(None, {"schemaVersion": 2, "mediaType": OCI + ".manifest.v1+json", "config": self.blob(json.dumps(config).encode(), OCI + ".config.v1+json"),
                                    "layers": [layer for _, layer in layers]})

    def layer(self, files):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path, text in files.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
        return "sha256:" + hashlib.sha256(out.getvalue()).hexdigest(), self.blob(gzip.compress(out.getvalue(), mtime=0), OCI + ".layer.v1.tar+gzip")

    def about(self, subject, kind, text):
        return self.manifest(None, {"schemaVersion": 2, "mediaType": OCI + ".manifest.v1+json", "artifactType": kind, "config": self.blob(b"{}", "application/vnd.oci.empty.v1+json"),
                                    "layers": [self.blob(text.encode(), kind)], "subject": subject, "annotations": {"org.opencontainers.image.created": "2026-11-25T10:00:00Z"}})


def test_images(house: House):
    with Person(house, "images.mjs") as ada:
        ada.until("empty")
        shop = Pusher(house, "shop/web")
        images = [(arch, shop.image(arch)) for arch in ("amd64", "arm64")]
        index = {"schemaVersion": 2, "mediaType": OCI + ".index.v1+json", "manifests": [{**image, "platform": {"os": "linux", "architecture": arch}} for arch, image in images]}
        shop.manifest("v1", index)
        for n in range(61):
            shop.manifest(f"build-{n:03}", index)
        shop.about(images[0][1], "application/vnd.cyclonedx+json", '{"bomFormat":"CycloneDX"}')
        shop.about(images[0][1], "application/vnd.dev.sigstore.bundle.v0.3+json", '{"mediaType":"x"}')
        Pusher(house, "tools/cli").manifest("1", {"schemaVersion": 2, "mediaType": OCI + ".index.v1+json", "manifests": []})
        ada.tell("pushed")


if __name__ == "__main__":
    main(globals())
