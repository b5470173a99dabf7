import { describe, expect, it } from "vitest";
import { takeToken, type Obj } from "../kube";
import { columns, draw, type Job } from "./graph";
import { origin, pathMaps, type Place } from "./map";
import { markdown, sections } from "./markdown";
import { board, matrix, type Objects } from "./path";
import { byVersion, measured, promote, quantile, steps, traffic } from "./rollout";
import { age, ansi, brief, bytes, duration, logParts, short } from "./text";

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
  it.each([
    [`Promote ${"c0ffee".padEnd(40, "0")} to production`, "Promote c0ffee000000 to production"],
    [`acme/app@sha256:${"ab".repeat(32)}`, "acme/app@sha256:abababababab"],
    [`${"a".repeat(41)} is no commit, c0ffee is one already`, `${"a".repeat(41)} is no commit, c0ffee is one already`],
    [undefined, ""],
  ])("brief: %s", (subject, want) => expect(brief(subject)).toBe(want));
  it("colours become styles, other escapes vanish", () => {
    expect(ansi("\x1b[1;31mbad\x1b[0m ok\x1b[2K")).toEqual([
      { text: "bad", style: "bold red" },
      { text: " ok", style: "" },
    ]);
    expect(ansi("<b>plain</b>")).toEqual([{ text: "<b>plain</b>", style: "" }]);
  });
  it("log lines, in a part for each step", () => {
    expect(logParts(["2026-11-25T20:47:50.000Z 0 Runs in a container", "2026-11-25T20:47:50.100Z 0 ▸ Run make", "2026-11-25T20:47:50.123Z 2 oh no", "2026-11-25T20:47:52.100Z 0 ▸ Run rest", "no time here"], true)).toEqual([
      { name: "", lines: [{ time: "20:47:50.000", stream: 0, text: "Runs in a container" }] },
      { name: "Run make", millis: 2000, lines: [{ time: "20:47:50.123", stream: 2, text: "oh no" }] },
      { name: "Run rest", lines: [{ time: "", stream: 1, text: "no time here" }] },
    ]);
    expect(logParts(["2026-11-25T20:47:50.123Z 0 ▸ a pod may write this"], false)).toEqual([{ name: "", lines: [{ time: "", stream: 1, text: "2026-11-25T20:47:50.123Z 0 ▸ a pod may write this" }] }]);
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

describe("draw", () => {
  const job = (key: string, ...needs: string[]): Job => ({ key, name: key, phase: "Pending", needs });
  it("joins each job with what it needs, columns in the middle", () => {
    const drawing = draw([job("a"), job("b (1)"), job("b (2)"), job("c", "a", "b"), job("d", "c", "a", "gone")]);
    expect([drawing.columns, drawing.rows]).toEqual([3, 3]);
    expect(drawing.nodes.map((n) => `${n.job.key} ${n.column} ${n.row}`)).toEqual(["a 0 0", "b (1) 0 1", "b (2) 0 2", "c 1 1", "d 2 1"]);
    expect(drawing.edges.map((e) => `${e.from.job.key} > ${e.to.job.key}`)).toEqual(["a > c", "b (1) > c", "b (2) > c", "c > d", "a > d"]);
  });
  it("of nothing is nothing", () => expect(draw([])).toEqual({ nodes: [], edges: [], columns: 0, rows: 0 }));
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
  it("says what was there before, the latest first", () => {
    const past = (name: string, since: string, more: object = {}) => of(name, { service: "api", environment: "dev", digest: `sha256:${name}`, sourceCommit: `${name}${"0".repeat(12)}` }, { phase: "Succeeded", since, ...more });
    const all = { ...shop, releases: [past("old", "2025-01-01T00:00:00Z"), ...shop.releases, past("bad", "2025-02-01T00:00:00Z", { phase: "Failed", verdict: { why: "one in four failed" } }), past("never", "")] };
    const cells = matrix(all)[0]!.services[0]!.cells;
    expect(cells[0]!.commit).toBe("111111111111");
    expect(cells[0]!.earlier.map((one) => `${one.commit} ${one.light} ${one.note}`)).toEqual(["bad000000000 failed one in four failed", "old000000000 succeeded "]);
    expect(cells[1]!.earlier).toEqual([]);
  });
});

describe("a promotion that waits", () => {
  const waits = (spec: object, status: object): Objects => ({ ...shop, promotions: [of("p-prod", { ...shop.promotions[0]!.spec, configRepository: "shop-config", ...spec }, { phase: "Waiting", ...status })] });
  const seen = (all: Objects) => {
    const cell = matrix(all)[0]!.services[0]!.cells[1]!;
    const stop = board(all)[0]!.rails[0]!.stops[2]!;
    const token = pathMaps(all)[0]!.lanes[0]!.tokens[1]!;
    return [[cell.next, cell.promotion, cell.request?.name], [stop.link, stop.promotion, stop.request?.name], [token.where, token.link, token.promotion]];
  };
  it.each([
    ["for somebody", { message: "waiting for approval by ada" }, [["111111111111 waits for approval", "p-prod", undefined], ["#/environments", "p-prod", undefined], ["", "#/environments", "p-prod"]]],
    ["in a pull request", { message: "pull request 3 of shop-config waits to be merged", pullRequest: 3 }, [["111111111111 waits in", "", "shop-config#3"], ["#/pr/shop-config/3", undefined, "shop-config#3"], ["#3", "#/pr/shop-config/3", ""]]],
    ["for a window", { message: "held back: promotions only during \"0 9 * * *\"" }, [['111111111111 held back: promotions only during "0 9 * * *"', "", undefined], ["#/environments", undefined, undefined], ["", "#/environments", ""]]],
    ["for a window, approved", { message: "held back: x", approvedBy: "ada" }, [["111111111111 held back: x", "", undefined], ["#/environments", undefined, undefined], ["", "#/environments", ""]]],
  ])("%s", (_, status, want) => expect(seen(waits({}, status))).toEqual(want));
});

describe("pathMaps", () => {
  const pulls = [of("shop-7", { repository: "shop", number: 7 }, { state: "open" })];
  const pipelines = [of("shop", { ...shop.pipelines[0]!.spec, services: [{ name: "api", image: "shop/api", repository: "shop", workflow: "ci.yml" }] })];
  const jobs = (...phases: string[]) => [
    { key: "lint", name: "lint", phase: phases[0] },
    { key: "test", name: "test", phase: phases[1] },
    { key: "image", name: "image", phase: phases[2], needs: ["test"], message: phases[2] === "Failed" ? "no disk" : "" },
  ];
  const run = (name: string, change: object, phase: string, ...phases: string[]) => of(name, { name: "ci", workflow: "ci.yml", change: { repository: "shop", after: name.repeat(8), subject: `Subject ${name}`, ref: "refs/heads/main", ...change } }, { phase, jobs: jobs(...phases) });
  const pull = { pullRequest: 7, ref: "refs/pull/7/merge" };
  const asked = (...runs: Obj[]) => pathMaps({ ...shop, pipelines, runs, pulls, promotions: [], releases: [], changes: [] })[0]!;
  const seen = (...runs: Obj[]) => asked(...runs).lanes[0]!.tokens.map((t) => [t.label, t.where, t.station, t.light, t.jobs.map((j) => j.light).join(" ")]);

  it("has a station for each rank of jobs and each environment", () => {
    expect(asked(run("a", {}, "Running", "Running", "Pending", "Pending")).stations.map((s) => `${s.kind} ${s.name}`)).toEqual(["commit commit", "jobs lint · test", "jobs image", "environment dev", "environment prod"]);
    expect(asked().stations.map((s) => s.name)).toEqual(["commit", "checks", "dev", "prod"]);
  });
  it("puts a run where its first unfinished jobs are", () => {
    expect(seen(run("a", {}, "Running", "Succeeded", "Running", "Pending"))).toEqual([["aaaaaaa", "", 1, "running", "succeeded running"]]);
    expect(seen(run("a", pull, "Running", "Succeeded", "Succeeded", "Pending"))).toEqual([["aaaaaaa", "#7", 2, "running", "pending"]]);
    expect(seen(of("b", { name: "ci", workflow: "ci.yml", change: { repository: "shop", after: "bbbbbbbb" } }, { phase: "Pending" }))).toEqual([["bbbbbbb", "", 0, "pending", ""]]);
  });
  it("leaves what failed where it failed, until something newer comes", () => {
    const failed = run("a", {}, "Failed", "Succeeded", "Succeeded", "Failed");
    expect(seen(failed)).toEqual([["aaaaaaa", "", 2, "failed", "failed"]]);
    expect(asked(failed).lanes[0]!.tokens[0]).toMatchObject({ note: "no disk", link: "#/run/a/image" });
    expect(seen(failed, run("b", {}, "Running", "Running", "Running", "Pending"))).toEqual([["bbbbbbb", "", 1, "running", "running running"]]);
  });
  it("shows a green pull request as waiting for its merge, and a merged one no more", () => {
    const green = run("a", pull, "Succeeded", "Succeeded", "Succeeded", "Succeeded");
    expect(asked(green).lanes[0]!.tokens[0]).toMatchObject({ station: 2, light: "succeeded", note: "waits for its merge", link: "#/pr/shop/7" });
    pulls[0]!.status!.state = "merged";
    expect(seen(green)).toEqual([]);
    pulls[0]!.status!.state = "open";
  });
  it("knows what rests in an environment, what waits at its door, and what failed in it last", () => {
    const [map] = pathMaps({ ...shop, pulls: [] });
    expect(map!.lanes[0]!.tokens.map((t) => [t.label, map!.stations[t.station]!.name, t.light, t.resting, t.promotion])).toEqual([
      ["1111111", "dev", "succeeded", true, ""],
      ["1111111", "prod", "waiting", false, "p-prod"],
    ]);
    const release = (name: string, since: string, status: object) => of(name, { service: "api", environment: "prod", digest: `sha256:${name}`, sourceCommit: name.repeat(8) }, { since, ...status });
    const releases = [release("a", "2026-01-01", { phase: "Succeeded", current: true }), release("b", "2026-01-02", { phase: "Failed", verdict: { why: "errors" } }), release("c", "2025-01-01", { phase: "Failed" })];
    expect(pathMaps({ ...shop, promotions: [], releases })[0]!.lanes[0]!.tokens.map((t) => [t.label, t.light, t.resting, t.note])).toEqual([
      ["bbbbbbb", "failed", false, "errors"],
      ["aaaaaaa", "succeeded", true, "runs here"],
    ]);
  });
  it("shows a promotion that failed where it failed, until something newer comes", () => {
    const promotions = [of("p", { service: "api", environment: "prod", artifact: { digest: "sha256:d1", commit: "1111111111111111" } }, { phase: "Failed", message: "no overlay" })];
    const seen = (all: Objects) => pathMaps(all)[0]!.lanes[0]!.tokens.filter((t) => t.key.includes("/prod/")).map((t) => [t.light, t.note, t.resting]);
    const cell = (all: Objects) => matrix(all)[0]!.services[0]!.cells[1]!.failed;
    const failed = { ...shop, promotions };
    expect([seen(failed), cell(failed)]).toEqual([[["failed", "no overlay", false]], "111111111111 failed: no overlay"]);
    const newer = { ...failed, releases: [of("rel", { service: "api", environment: "prod", digest: "sha256:d2", sourceCommit: "2" }, { phase: "Succeeded", current: true, since: "2026-01-01T00:00:01Z" })] };
    expect([seen(newer), cell(newer)]).toEqual([[["succeeded", "runs here", true]], ""]);
  });
  it("says how much traffic a rollout under way gives", () => {
    const releases = [of("rel", { service: "api", environment: "dev", digest: "sha256:d1", sourceCommit: "1" }, { phase: "Running" })];
    const rollouts = [{ ...of("api", { strategy: { canary: {} } }, { currentPodHash: "b", stableRS: "a", canary: { weights: { canary: { weight: 20 } } } }), metadata: { ...of("api", {}).metadata, namespace: "shop-dev" } }];
    const environments = [{ name: "dev", namespace: "shop-dev" }];
    expect(pathMaps({ ...shop, pipelines: [of("shop", { ...shop.pipelines[0]!.spec, environments })], promotions: [], releases, rollouts })[0]!.lanes[0]!.tokens[0]).toMatchObject({ light: "running", weight: 20 });
  });
});

describe("origin", () => {
  const place = (key: string, commit: string, station: number, lane = "api"): Place => ({ key, commit, station, lane, x: station, y: 0 });
  const before = [place("r", "c1", 2), place("dev", "c1", 3), place("other", "c2", 4), place("r", "c1", 4, "web")];
  it.each([
    ["its own last place", place("r", "c1", 2), before[0]],
    ["the furthest its commit had reached", place("prod", "c1", 5), before[1]],
    ["never from further on", place("x", "c2", 3), null],
    ["not from another lane", place("x", "c1", 5, "job"), null],
    ["not of an unknown commit", place("x", "", 5), null],
  ])("%s", (_, now, want) => expect(origin(before, now)).toEqual(want));
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
  it("counts what each version answered, and how fast", () => {
    const labels = (service: string, more = "") => `{namespace="p",service="${service}",pod_template_hash="h"${more}}`;
    const total = (service: string, code: string, n: number) => `slipway_gateway_requests_total${labels(service, `,code="${code}"`)} ${n}\n`;
    const times = (service: string, fast: number, all: number) => `slipway_gateway_request_seconds_bucket${labels(service, ',le="0.1"')} ${fast}\nslipway_gateway_request_seconds_bucket${labels(service, ',le="+Inf"')} ${all}\nslipway_gateway_request_seconds_sum${labels(service)} 1.5\n`;
    const text = total("api", "success", 90) + total("api", "5xx", 9) + total("api", "failure", 1) + total("api", "4xx", 5).replace('"p"', '"q"') + times("api", 80, 100) + total("api-canary", "success", 10) + times("api-canary", 10, 10);
    const all = traffic(text, "p");
    expect(all).toEqual([
      { service: "api", hash: "h", requests: 100, errors: 10, seconds: 1.5, buckets: [[0.1, 80], [Infinity, 100]] },
      { service: "api-canary", hash: "h", requests: 10, errors: 0, seconds: 1.5, buckets: [[0.1, 10], [Infinity, 10]] },
    ]);
    expect(byVersion(all, ["api", "api-canary"])).toEqual([{ service: "", hash: "h", requests: 110, errors: 10, seconds: 3, buckets: [[0.1, 90], [Infinity, 110]] }]);
    expect(byVersion(all, ["web"])).toEqual([]);
  });
  it.each([
    ["none", [], 0.5, null],
    ["nothing answered", [[1, 0]], 0.5, null],
    ["in the first", [[1, 10], [2, 10], [Infinity, 10]], 0.5, 0.5],
    ["between", [[1, 5], [2, 10], [Infinity, 10]], 0.75, 1.5],
    ["beyond the last", [[1, 5], [Infinity, 10]], 0.95, null],
  ] as [string, [number, number][], number, number | null][])("quantile: %s", (_, buckets, share, want) => expect(quantile(buckets, share)).toBe(want));
  it("says what an analysis measured", () => {
    const run = of("a", {}, { metricResults: [{ name: "error-rate", phase: "Running", count: 2, measurements: [{ value: "1" }, { value: '{"canaryRequests":8,"evidence":1.23456}' }] }, { name: "plain", phase: "Failed", message: "no", measurements: [{ value: "[0.1, 2]" }] }, { name: "none", phase: "Pending" }] });
    expect(measured(run).map((m) => [m.name, m.last, m.message, m.count])).toEqual([
      ["error-rate", "canary requests 8, evidence 1.235", "", 2],
      ["plain", "0.1, 2", "no", 0],
      ["none", "", "", 0],
    ]);
  });
});
