import { expect, test } from "vitest";
import { counts, imagesOf, instruction, kindOf, layersOf, platformOf, readable, worstFirst, type Finding } from "./images";

const blob = (size: number) => ({ mediaType: "x/y", digest: "sha256:00", size });

test("layers have the instruction that made them", () => {
  const config = { history: [{ created_by: "COPY a /a # buildkit" }, { created_by: "ENV x=1", empty_layer: true }, { created_by: "|1 v=2 /bin/sh -c make all" }] };
  expect(layersOf({ layers: [blob(1), blob(2)] }, config).map((layer) => layer.by)).toEqual(["COPY a /a", "RUN make all"]);
  expect(layersOf({ layers: [blob(1)] }, config).map((layer) => layer.by)).toEqual([""]);
  expect(layersOf({ layers: [blob(1)] }, null).map((layer) => layer.by)).toEqual([""]);
});
test.each([
  ["/bin/sh -c #(nop)  CMD [\"sh\"]", "CMD [\"sh\"]"],
  ["RUN /bin/sh -c apk add x # buildkit", "RUN apk add x"],
  ["/bin/sh -c ls", "RUN ls"],
  ["WORKDIR /app", "WORKDIR /app"],
])("instruction %s", (text, want) => expect(instruction(text)).toBe(want));
test.each([
  ["application/vnd.cyclonedx+json", undefined, "SBOM"],
  ["application/spdx+json", undefined, "SBOM"],
  ["application/vnd.dev.sigstore.bundle.v0.3+json", undefined, "signature"],
  ["application/vnd.dev.sigstore.bundle.v0.3+json", "https://slsa.dev/provenance/v1", "provenance"],
  ["application/vnd.cncf.notary.signature", undefined, "signature"],
  ["application/vnd.in-toto+json", undefined, "attestation"],
  ["x/other", undefined, "artifact"],
])("kind of %s", (artifactType, predicate, want) => expect(kindOf({ ...blob(1), artifactType, annotations: predicate ? { "dev.sigstore.bundle.predicateType": predicate } : {} })).toBe(want));
test("platforms", () => {
  const arm = { ...blob(1), platform: { os: "linux", architecture: "arm64", variant: "v8" } };
  expect(platformOf(arm)).toBe("linux/arm64/v8");
  expect(imagesOf({ manifests: [arm, { ...blob(2), platform: { os: "unknown", architecture: "unknown" } }] })).toEqual([arm]);
});
test("findings, the worst first", () => {
  const of = (severity: string, rule: string): Finding => ({ check: "vulnerability", rule, severity, message: "" });
  const list = [of("low", "a"), of("High", "c"), of("critical", "z"), of("high", "b"), of("odd", "o")];
  expect(worstFirst(list).map((one) => one.rule).join("")).toBe("zbcao");
  expect(counts(list)).toBe("1 critical, 2 high, 1 low");
});
test("what an artifact says", () => {
  expect(readable('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(readable("not {json")).toBe("not {json");
});
