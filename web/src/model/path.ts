// The path as people look at it: a row for each change, a rail for each of its runs, stops from the first job to the
// last environment. Made of the objects alone; nothing is remembered here.
import type { Obj } from "../kube";
import { brief, short } from "./text";

export type Light = "none" | "pending" | "running" | "waiting" | "succeeded" | "failed" | "cancelled" | "skipped";

export interface Stop {
  key: string;
  name: string;
  light: Light;
  note: string;
  link: string;
  environment?: boolean;
  current?: boolean; // this is what runs there
  promotion?: string; // that waits for an approval
  request?: Request; // that it waits in
}
/** A pull request, as it is named and where the page shows it. */
export interface Request {
  name: string; // shop-config#3
  link: string;
}
export interface Rail {
  service: string;
  run: string;
  light: Light;
  reused: boolean;
  stops: Stop[];
}
export interface Row {
  name: string;
  commit: string;
  subject: string;
  author: string;
  repository: string;
  where: string; // main, #7, v1.2
  pull: number;
  at: string;
  message: string;
  rails: Rail[];
}
export interface Objects {
  changes: Obj[];
  runs: Obj[];
  artifacts: Obj[];
  promotions: Obj[];
  releases: Obj[];
  pipelines: Obj[];
  pulls?: Obj[];
  rollouts?: Obj[];
}

export function light(phase: string | undefined): Light {
  switch (phase) {
    case "Succeeded":
    case "Failed":
    case "Cancelled":
    case "Skipped":
    case "Running":
    case "Waiting":
    case "Pending":
      return phase.toLowerCase() as Light;
    case "Manual":
      return "waiting";
    default:
      return "pending";
  }
}

interface Chain {
  service: string;
  environments: string[];
}
/** The environments that images of a repository's service go through, in order. */
export function chains(pipelines: Obj[]): Map<string, Chain> {
  const found = new Map<string, Chain>();
  for (const pipeline of pipelines) {
    const environments = (pipeline.spec.environments ?? []).map((e: { name: string }) => e.name);
    for (const service of pipeline.spec.services ?? []) found.set(service.image, { service: service.name, environments });
  }
  return found;
}

/** The promotion to an environment that failed before anything came of it, until something newer comes there. */
export function lastFailed(all: Objects, service: string, environment: string): Obj | undefined {
  const here = (o: Obj) => o.spec.service === service && o.spec.environment === environment;
  const [newest] = all.promotions.filter((o) => here(o) && !o.spec.revert).sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp));
  if (!newest || light(newest.status?.phase) !== "failed") return undefined;
  const at = Date.parse(newest.metadata.creationTimestamp);
  const overtaken = all.releases.some((o) => here(o) && (o.spec.digest === newest.spec.artifact?.digest || Date.parse(o.status?.since ?? "") > at));
  return overtaken ? undefined : newest;
}

interface Door {
  says: string;
  promotion?: string; // that an approval lets in
  request?: Request;
}
/** What a promotion waits for: somebody's approval, the merge of its pull request, or, in the engine's words, a window. */
export function doorOf(promotion: Obj): Door {
  const number = promotion.status?.pullRequest ?? 0;
  const repository = promotion.spec.configRepository ?? "";
  if (number > 0) return { says: "waits in", request: { name: `${repository}#${number}`, link: `#/pr/${repository}/${number}` } };
  const message: string = promotion.status?.message ?? "";
  const asks = !promotion.status?.approvedBy && !message.startsWith("held back");
  return asks ? { says: "waits for approval", promotion: promotion.metadata.name } : { says: message || "waits" };
}

export function environmentStop(all: Objects, service: string, environment: string, digest: string): Stop {
  const here = (o: Obj, d: string) => o.spec.service === service && o.spec.environment === environment && d === digest;
  const release = all.releases.find((o) => here(o, o.spec.digest));
  const promotion = all.promotions.find((o) => !o.spec.revert && here(o, o.spec.artifact?.digest));
  const stop: Stop = { key: `env-${environment}`, name: environment, light: "none", note: "not there yet", link: "#/environments", environment: true };
  if (promotion) {
    stop.light = light(promotion.status?.phase);
    stop.note = promotion.status?.message || promotion.spec.reason || "";
    if (stop.light === "waiting") {
      const door = doorOf(promotion);
      stop.promotion = door.promotion;
      stop.request = door.request;
      if (door.request) stop.link = door.request.link;
    }
    if (stop.light === "pending") stop.note = "about to be promoted";
  }
  if (release && stop.light !== "waiting") {
    stop.light = light(release.status?.phase);
    stop.current = release.status?.current === true;
    stop.note = release.status?.verdict?.why || release.status?.message || "";
    if (stop.light === "succeeded") stop.note = stop.current ? "runs here" : "was here";
  }
  return stop;
}

function rail(all: Objects, run: Obj, routes: Map<string, Chain>): Rail {
  const name = run.metadata.name;
  const stops: Stop[] = (run.status?.jobs ?? []).map((job: { key: string; name: string; phase: string; message?: string }) => ({
    key: job.key,
    name: job.name,
    light: light(job.phase),
    note: job.message ?? "",
    link: `#/run/${name}/${encodeURIComponent(job.key)}`,
  }));
  const pushed = run.spec.change?.event !== "pull_request";
  let service = run.spec.name as string;
  for (const made of (run.status?.artifacts ?? []) as string[]) {
    const artifact = all.artifacts.find((o) => o.metadata.name === made);
    const chain = artifact && routes.get(artifact.spec.image);
    if (!artifact || !chain) continue;
    service = chain.service;
    if (pushed && artifact.status?.phase === "Succeeded") for (const environment of chain.environments) stops.push(environmentStop(all, chain.service, environment, artifact.spec.digest));
  }
  const state = light(run.status?.phase);
  if (stops.length === 0) stops.push({ key: "run", name: run.spec.name, light: state, note: run.status?.message ?? "", link: `#/run/${name}` });
  return { service, run: name, light: state, reused: Boolean(run.status?.reusedFrom), stops };
}

export function board(all: Objects): Row[] {
  const routes = chains(all.pipelines);
  const configuration = new Set(all.pipelines.map((p) => p.spec.repository as string));
  return all.changes
    .filter((change) => !configuration.has(change.spec.repository))
    .sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp))
    .map((change) => {
      const spec = change.spec;
      const pull = spec.pullRequest ?? 0;
      return {
        name: change.metadata.name,
        commit: short(spec.after),
        subject: brief(spec.subject),
        author: spec.author ?? "",
        repository: spec.repository,
        where: pull > 0 ? `#${pull}` : String(spec.ref ?? "").replace(/^refs\/(heads|tags)\//, ""),
        pull,
        at: change.metadata.creationTimestamp,
        message: change.status?.message ?? "",
        rails: all.runs
          .filter((run) => run.metadata.labels?.["slipway.dev/change"] === change.metadata.name)
          .sort((a, b) => String(a.spec.name).localeCompare(String(b.spec.name)))
          .map((run) => rail(all, run, routes)),
      };
    });
}

export interface Cell {
  service: string;
  environment: string;
  light: Light;
  commit: string;
  subject: string;
  since: string;
  next: string; // what is on its way here: "1a2b3c waits for approval"
  promotion: string; // that waits for an approval
  request?: Request; // that it waits in
  failed: string; // why what wanted to come last did not: "1a2b3c failed: no such overlay"
  earlier: Past[]; // what ran here before, the latest first
}
export interface Past {
  light: Light;
  commit: string;
  subject: string;
  since: string;
  note: string;
}
export interface Matrix {
  pipeline: string;
  environments: string[];
  services: { name: string; cells: Cell[] }[];
}

/** What each environment holds of each service, and what wants to come. */
export function matrix(all: Objects): Matrix[] {
  return all.pipelines.map((pipeline) => {
    const environments: string[] = (pipeline.spec.environments ?? []).map((e: { name: string }) => e.name);
    const services = (pipeline.spec.services ?? []).map((s: { name: string }) => ({
      name: s.name,
      cells: environments.map((environment): Cell => {
        const here = (o: Obj) => o.spec.service === s.name && o.spec.environment === environment;
        const releases = all.releases.filter(here).sort((a, b) => String(b.status?.since ?? "").localeCompare(String(a.status?.since ?? "")));
        const release = releases.find((o) => o.status?.current);
        const subjectOf = (o: Obj): string => brief(all.changes.find((c) => c.spec.after === o.spec.sourceCommit)?.spec.subject ?? (o.spec.promotion ? "" : "set by a commit"));
        const coming = all.promotions.find((o) => here(o) && ["Waiting", "Pending"].includes(o.status?.phase));
        const commit: string = release?.spec.sourceCommit ?? "";
        const what = coming ? short(coming.spec.artifact?.commit ?? coming.spec.artifact?.digest) : "";
        const failed = lastFailed(all, s.name, environment);
        const door = coming?.status?.phase === "Waiting" ? doorOf(coming) : undefined;
        return {
          service: s.name,
          environment,
          light: release ? light(release.status?.phase) : "none",
          commit: short(commit || release?.spec.digest),
          subject: release ? subjectOf(release) : "",
          since: release?.status?.since ?? "",
          next: coming ? `${what} ${door?.says ?? "is on its way"}` : "",
          promotion: door?.promotion ?? "",
          request: door?.request,
          failed: failed ? `${short(failed.spec.artifact?.commit ?? failed.spec.artifact?.digest)} failed: ${failed.status?.message || "no reason is known"}` : "",
          earlier: releases
            .filter((o) => o !== release && o.status?.since)
            .map((o) => ({ light: light(o.status?.phase), commit: short(o.spec.sourceCommit || o.spec.digest), subject: subjectOf(o), since: o.status?.since, note: o.status?.verdict?.why ?? o.status?.message ?? "" })),
        };
      }),
    }));
    return { pipeline: pipeline.metadata.name, environments, services };
  });
}
