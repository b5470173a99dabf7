// The path as a picture: stations from the commit to the last environment, a lane for each service, and on it every
// commit that is on its way or at rest. Made of the objects alone, as the rows of path.ts are.
import type { Obj } from "../kube";
import { columns, idOf, type Job } from "./graph";
import { environmentStop, lastFailed, light, type Light, type Objects } from "./path";
import { isMoving, weight } from "./rollout";
import { brief, short } from "./text";

export interface Station {
  key: string;
  name: string;
  kind: "commit" | "jobs" | "environment";
}
export interface Token {
  key: string;
  commit: string;
  label: string;
  where: string; // #7 while a pull request holds it
  subject: string;
  light: Light;
  note: string;
  link: string;
  station: number;
  at: string;
  resting: boolean; // this is what an environment holds
  jobs: { name: string; light: Light }[]; // of this station
  promotion: string; // that waits for an approval
  weight?: number; // percent of the traffic that a rollout under way sends it
}
export interface Lane {
  service: string;
  tokens: Token[];
}
export interface PathMap {
  pipeline: string;
  stations: Station[];
  lanes: Lane[];
}

const mostJobStations = 4;
const over: Light[] = ["succeeded", "failed", "cancelled", "skipped"];

/** The jobs of a run by station: what is deeper than there are stations shares the last. */
function stationsOf(run: Obj): Job[][] {
  const deep = columns((run.status?.jobs ?? []) as Job[]);
  return deep.length <= mostJobStations ? deep : [...deep.slice(0, mostJobStations - 1), deep.slice(mostJobStations - 1).flat()];
}

function names(jobs: string[]): string {
  const each = [...new Set(jobs)];
  return each.length <= 3 ? each.join(" · ") : `${each.slice(0, 2).join(" · ")} +${each.length - 2}`;
}

interface Service {
  name: string;
  image?: string;
  repository?: string;
  workflow?: string;
}
function runsOf(all: Objects, service: Service): Obj[] {
  return all.runs
    .filter((run) => run.spec.change?.repository === service.repository && (!service.workflow || run.spec.workflow === service.workflow))
    .sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp) || b.metadata.name.localeCompare(a.metadata.name));
}

function pullOf(all: Objects, run: Obj): Obj | undefined {
  const { repository, pullRequest } = run.spec.change ?? {};
  return pullRequest > 0 ? (all.pulls ?? []).find((pull) => pull.spec.repository === repository && pull.spec.number === pullRequest) : undefined;
}

/** The run as a token before the environments; nothing when the commit has gone on, or nobody waits for it any more. */
function tokenOfRun(all: Objects, run: Obj, jobStations: number): Token | null {
  const change = run.spec.change ?? {};
  const state = light(run.status?.phase);
  const pull = pullOf(all, run);
  const asked = change.pullRequest > 0;
  if (over.includes(state) && (asked ? (pull?.status?.state ?? "open") !== "open" || !pull : state === "succeeded")) return null;
  const deep = stationsOf(run);
  const unfinished = deep.findIndex((jobs) => jobs.some((job) => (state === "failed" ? light(job.phase) === "failed" : !over.includes(light(job.phase)))));
  const station = deep.length === 0 ? 0 : unfinished >= 0 ? unfinished : deep.length - 1;
  const jobs = (deep[station] ?? []).map((job) => ({ name: job.name, light: light(job.phase) }));
  const wrong = (deep[station] ?? []).find((job) => light(job.phase) === "failed");
  const merge = state === "succeeded" && asked;
  return {
    key: `${run.metadata.name}@run`,
    commit: change.after ?? "",
    label: short(change.after).slice(0, 7),
    where: asked ? `#${change.pullRequest}` : "",
    subject: brief(change.subject),
    light: state,
    note: merge ? "waits for its merge" : wrong?.message || run.status?.message || "",
    link: merge ? `#/pr/${change.repository}/${change.pullRequest}` : wrong ? `#/run/${run.metadata.name}/${encodeURIComponent(wrong.key)}` : `#/run/${run.metadata.name}`,
    station: deep.length === 0 ? 0 : Math.min(1 + station, jobStations),
    at: run.metadata.creationTimestamp,
    resting: false,
    jobs: state === "succeeded" ? [] : jobs,
    promotion: "",
  };
}

function runTokens(all: Objects, runs: Obj[], jobStations: number): Token[] {
  const seen = new Set<string>(); // the newest of each branch and pull request counts
  const out: Token[] = [];
  for (const run of runs) {
    const change = run.spec.change ?? {};
    const place = change.pullRequest > 0 ? `#${change.pullRequest}` : String(change.ref ?? "");
    const active = !over.includes(light(run.status?.phase));
    if (seen.has(place) && !active) continue;
    seen.add(place);
    const token = tokenOfRun(all, run, jobStations);
    if (token) out.push(token);
  }
  return out.slice(0, 8);
}

function environmentTokens(all: Objects, service: string, environment: { name: string; namespace?: string }, station: number): Token[] {
  const here = (o: Obj) => o.spec.service === service && o.spec.environment === environment.name;
  const since = (o: Obj) => String(o.status?.since ?? o.metadata.creationTimestamp);
  const releases = all.releases.filter(here).sort((a, b) => since(b).localeCompare(since(a)));
  const current = releases.find((o) => o.status?.current);
  const coming = all.promotions.filter((o) => here(o) && !over.includes(light(o.status?.phase)) && !o.spec.revert);
  const commits = new Map<string, { commit: string; at: string }>();
  for (const o of coming) commits.set(o.spec.artifact?.digest, { commit: o.spec.artifact?.commit ?? "", at: o.metadata.creationTimestamp });
  const failed = lastFailed(all, service, environment.name);
  if (failed) commits.set(failed.spec.artifact?.digest, { commit: failed.spec.artifact?.commit ?? "", at: failed.metadata.creationTimestamp });
  // Also what failed here last, until something newer comes.
  for (const o of releases.filter((one, i) => one === current || !over.includes(light(one.status?.phase)) || (i === 0 && light(one.status?.phase) === "failed")))
    commits.set(o.spec.digest, { commit: o.spec.sourceCommit ?? "", at: since(o) });
  return [...commits].map(([digest, { commit, at }]): Token => {
    const stop = environmentStop(all, service, environment.name, digest);
    const rollout = (all.rollouts ?? []).find((o) => o.metadata.namespace === environment.namespace && o.metadata.name === service);
    const change = all.changes.find((c) => c.spec.after === commit && commit !== "");
    const moving = stop.light === "running" && rollout && isMoving(rollout) && rollout.status?.canary?.weights;
    return {
      key: `${service}/${environment.name}/${digest}`,
      commit,
      label: short(commit || digest).slice(0, 7),
      where: stop.request?.name.replace(/^.*(?=#)/, "") ?? "",
      subject: brief(change?.spec.subject ?? "set by a commit"),
      light: stop.light,
      note: stop.request ? "waits for its merge" : stop.note,
      link: stop.link,
      station,
      at,
      resting: stop.light === "succeeded" && digest === current?.spec.digest,
      jobs: [],
      promotion: stop.promotion ?? "",
      ...(moving ? { weight: weight(rollout) } : {}),
    };
  });
}

export function pathMaps(all: Objects): PathMap[] {
  return all.pipelines.map((pipeline) => {
    const services: Service[] = pipeline.spec.services ?? [];
    const environments: { name: string; namespace?: string }[] = pipeline.spec.environments ?? [];
    const runs = new Map(services.map((service) => [service.name, runsOf(all, service)]));
    // What jobs there are, the newest run of each service says.
    const newest = [...runs.values()].map((list) => list.find((run) => (run.status?.jobs ?? []).length > 0)).filter((run) => run !== undefined);
    const byStation: string[][] = [];
    for (const run of newest) stationsOf(run).forEach((jobs, i) => (byStation[i] ??= []).push(...jobs.map(idOf)));
    const stations: Station[] = [
      { key: "commit", name: "commit", kind: "commit" },
      ...(byStation.length > 0 ? byStation : [["checks"]]).map((jobs, i): Station => ({ key: `jobs-${i}`, name: names(jobs), kind: "jobs" })),
      ...environments.map((e): Station => ({ key: `env-${e.name}`, name: e.name, kind: "environment" })),
    ];
    const jobStations = stations.length - environments.length - 1;
    return {
      pipeline: pipeline.metadata.name,
      stations,
      lanes: services.map((service) => ({
        service: service.name,
        tokens: [...runTokens(all, runs.get(service.name)!, jobStations), ...environments.flatMap((e, i) => environmentTokens(all, service.name, e, 1 + jobStations + i))],
      })),
    };
  });
}

export interface Place {
  key: string;
  lane: string;
  commit: string;
  station: number;
  x: number;
  y: number;
}
/** Where a token comes from: its own last place, else the furthest that its commit had reached before. */
export function origin(before: Place[], now: Place): Place | null {
  const same = before.find((place) => place.key === now.key && place.lane === now.lane);
  if (same) return same;
  const earlier = before.filter((place) => place.lane === now.lane && place.commit === now.commit && place.commit !== "" && place.station <= now.station);
  return earlier.sort((a, b) => b.station - a.station)[0] ?? null;
}
