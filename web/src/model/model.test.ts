import { describe, expect, it } from "vitest";
import { takeToken, type Obj } from "../kube";
import { columns, type Job } from "./graph";
import { markdown, sections } from "./markdown";
import { board, matrix, type Objects } from "./path";
import { promote, steps, traffic } from "./rollout";
import { age, ansi, bytes, duration, logLine, short } from "./text";

describe("takeToken", () => {
  it.each([
    ["#token=slw_1a", { token: "slw_1a", rest: "#/" }],
    ["#token=slw_1a#/pr/shop/1", { token: "slw_1a", rest: "#/pr/shop/1" }],
    ["#/pr/shop/1", null],
    ["", null],
  ])("%s", (hash, want) => expect(takeToken(hash)).toEqual(want));
});

describe("text", () => {
  it.each([
    [0, "0 s"],
    [59_000, "59 s"],
    [61_000, "1 min"],
    [7_200_000, "2 h"],
    [200_000_000, "2 d"],
  ])("age of %d ms", (ms, want) => expect(age(new Date(0).toISOString(), ms)).toBe(want));
  it("says nothing of no time", () => expect([age(undefined, 5), age("soon", 5)]).toEqual(["", ""]));
  it("durations and sizes", () => expect([duration(12), duration(1500), duration(61_000), bytes(12), bytes(1_500_000)]).toEqual(["12 ms", "1.5 s", "1 min 1 s", "12 B", "1.5 MB"]));
  it("shortens digests and commits", () => expect([short("sha256:0123456789abcdef"), short("0123456789abcdef"), short(undefined)]).toEqual(["0123456789ab", "0123456789ab", ""]));
  it("colours become styles, other escapes vanish", () => {
    expect(ansi("\x1b[1;31mbad\x1b[0m ok\x1b[2K")).toEqual([
      { text: "bad", style: "bold red" },
      { text: " ok", style: "" },
    ]);
    expect(ansi("<b>plain</b>")).toEqual([{ text: "<b>plain</b>", style: "" }]);
  });
  it("log lines", () => {
    expect(logLine("2026-11-25T20:47:50.123Z 2 oh no")).toEqual({ time: "20:47:50.123", stream: 2, text: "oh no" });
    expect(logLine("no time here")).toEqual({ time: "", stream: 1, text: "no time here" });
  });
});

describe("markdown", () => {
  it("knows what comments hold", () => {
    expect(markdown("## Checks of x\n\n| a | b |\n| --- | --- |\n| 1 \\| 2 | <i> |\n\ntext\n```diff\n+a\n```\n- one\n- two\n")).toEqual([
      { kind: "heading", level: 2, text: "Checks of x" },
      { kind: "table", head: ["a", "b"], rows: [["1 | 2", "<i>"]] },
      { kind: "text", text: "text" },
      { kind: "code", language: "diff", lines: ["+a"] },
      { kind: "list", items: ["one", "two"] },
    ]);
  });
  it("ends with what is not closed", () => expect(markdown("```\nx")).toEqual([{ kind: "code", language: "", lines: ["x"] }]));
  it("leaves sections out", () => expect(sections(markdown("## Checks of x\n\n| a |\n| - |\n| 1 |\nseen\n## Rest\ny"), "Checks")).toEqual([{ kind: "text", text: "seen" }, { kind: "heading", level: 2, text: "Rest" }, { kind: "text", text: "y" }]));
});

describe("columns", () => {
  const job = (key: string, ...needs: string[]): Job => ({ key, name: key, phase: "Pending", needs });
  const named = (jobs: Job[]) => columns(jobs).map((column) => column.map((j) => j.key).join(" "));
  it.each([
    ["side by side", [job("a"), job("b")], ["a b"]],
    ["one after the other", [job("a"), job("b", "a"), job("c", "b")], ["a", "b", "c"]],
    ["right of the last it needs", [job("a"), job("b", "a"), job("c", "a", "b")], ["a", "b", "c"]],
    ["a matrix", [job("t (1)"), job("t (2)"), job("d", "t")], ["t (1) t (2)", "d"]],
    ["needs what is not there, or itself", [job("a", "gone"), job("b", "b")], ["a b"]],
    ["none", [], []],
  ])("%s", (_, jobs, want) => expect(named(jobs)).toEqual(want));
});

const of = (name: string, spec: object, status: object = {}, labels: Record<string, string> = {}): Obj => ({ metadata: { name, uid: name, resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z", labels }, spec, status });
const shop: Objects = {
  pipelines: [of("shop", { repository: "shop-config", services: [{ name: "api", image: "shop/api" }], environments: [{ name: "dev" }, { name: "prod" }] })],
  changes: [of("c1", { repository: "shop", after: "1111111111111111", ref: "refs/heads/main", subject: "One", event: "push" }), of("conf", { repository: "shop-config", after: "22", ref: "refs/heads/main" })],
  runs: [of("r1", { name: "ci", change: { event: "push" } }, { phase: "Succeeded", jobs: [{ key: "test", name: "test", phase: "Succeeded" }], artifacts: ["a1"] }, { "slipway.dev/change": "c1" })],
  artifacts: [of("a1", { service: "api", image: "shop/api", digest: "sha256:d1" }, { phase: "Succeeded" })],
  promotions: [of("p-prod", { service: "api", environment: "prod", artifact: { digest: "sha256:d1", commit: "1111111111111111" } }, { phase: "Waiting", message: "waiting for approval" })],
  releases: [of("rel", { service: "api", environment: "dev", digest: "sha256:d1", sourceCommit: "1111111111111111", promotion: "p-dev" }, { phase: "Succeeded", current: true, since: "2026-01-01T00:00:00Z" })],
};

describe("board", () => {
  it("follows a commit from its jobs to the last environment", () => {
    const [row, ...more] = board(shop);
    expect(more).toEqual([]);
    expect(row!.where).toBe("main");
    expect(row!.rails[0]!.stops.map((s) => [s.name, s.light, s.current ?? false, s.promotion ?? ""])).toEqual([
      ["test", "succeeded", false, ""],
      ["dev", "succeeded", true, ""],
      ["prod", "waiting", false, "p-prod"],
    ]);
  });
  it("shows no environments for what was not merged", () => {
    const pull = { ...shop, runs: [of("r1", { name: "ci", change: { event: "pull_request" } }, shop.runs[0]!.status, { "slipway.dev/change": "c1" })] };
    expect(board(pull)[0]!.rails[0]!.stops.map((s) => s.name)).toEqual(["test"]);
  });
  it("shows a run that has no jobs yet", () => {
    const fresh = { ...shop, runs: [of("r1", { name: "ci", change: {} }, { phase: "Pending" }, { "slipway.dev/change": "c1" })] };
    expect(board(fresh)[0]!.rails[0]!.stops).toMatchObject([{ name: "ci", light: "pending" }]);
  });
});

describe("matrix", () => {
  it("says what is there and what wants to come", () => {
    const cells = matrix(shop)[0]!.services[0]!.cells;
    expect(cells[0]).toMatchObject({ environment: "dev", light: "succeeded", commit: "111111111111", subject: "One", next: "" });
    expect(cells[1]).toMatchObject({ environment: "prod", light: "none", next: "111111111111 waits for approval", promotion: "p-prod" });
  });
});

describe("rollout", () => {
  const rollout = (status: object, spec: object = {}) => of("api", { strategy: { canary: { steps: [{ setWeight: 20 }, { pause: {} }, { pause: { duration: 30 } }] } }, ...spec }, status);
  it("steps", () => {
    expect(steps(rollout({ currentStepIndex: 1, currentPodHash: "b", stableRS: "a" }))).toEqual([
      { text: "20 %", state: "done" },
      { text: "pause until promoted", state: "now" },
      { text: "pause 30 s", state: "next" },
    ]);
    expect(steps(rollout({ currentStepIndex: 3, currentPodHash: "b", stableRS: "b" })).every((s) => s.state === "done")).toBe(true);
  });
  it.each([
    ["a paused one goes on", rollout({ pauseConditions: [{ reason: "CanaryPauseStep" }] }), { where: "status", patch: { status: { pauseConditions: null } } }],
    ["one stopped by hand", rollout({}, { paused: true }), { where: "spec", patch: { spec: { paused: false } } }],
    ["one that waits for its analysis", rollout({ currentStepIndex: 0, pauseConditions: [{ reason: "InconclusiveAnalysisRun" }] }), { where: "status", patch: { status: { pauseConditions: null, controllerPause: false, currentStepIndex: 1 } } }],
    ["past a step", rollout({ currentStepIndex: 2 }), { where: "status", patch: { status: { pauseConditions: null, currentStepIndex: 3 } } }],
    ["nothing left", rollout({ currentStepIndex: 3 }), null],
  ])("%s", (_, one, want) => expect(promote(one)).toEqual(want));
  it("counts what each version answered", () => {
    const line = (code: string, n: number) => `slipway_gateway_requests_total{namespace="p",service="api",pod_template_hash="h",code="${code}"} ${n}\n`;
    expect(traffic(line("success", 90) + line("5xx", 9) + line("failure", 1) + line("4xx", 5).replace('"p"', '"q"'), "p")).toEqual([{ service: "api", hash: "h", requests: 100, errors: 10 }]);
  });
});
