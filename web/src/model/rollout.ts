// A Rollout as its controller sees it, and what people may ask of it: the patches that kubectl argo rollouts makes.
import type { Obj } from "../kube";

export interface Step {
  text: string;
  state: "done" | "now" | "next";
}
function said(step: Record<string, any>): string {
  if (step.setWeight !== undefined) return `${step.setWeight} %`;
  if (step.pause) return step.pause.duration ? `pause ${step.pause.duration}${typeof step.pause.duration === "number" ? " s" : ""}` : "pause until promoted";
  if (step.analysis) return `analysis ${(step.analysis.templates ?? []).map((t: { templateName: string }) => t.templateName).join(", ")}`;
  if (step.setCanaryScale) return "scale";
  return Object.keys(step)[0] ?? "step";
}

export function steps(rollout: Obj): Step[] {
  const list: Record<string, unknown>[] = rollout.spec.strategy?.canary?.steps ?? [];
  const index = rollout.status?.currentStepIndex ?? 0;
  const whole = rollout.status?.currentPodHash === rollout.status?.stableRS;
  return list.map((step, i) => ({ text: said(step), state: whole || i < index ? "done" : i === index ? "now" : "next" }));
}

export function weight(rollout: Obj): number {
  return rollout.status?.canary?.weights?.canary?.weight ?? 0;
}
export function isMoving(rollout: Obj): boolean {
  return rollout.status?.currentPodHash !== rollout.status?.stableRS;
}

export interface Ask {
  where: "spec" | "status";
  patch: unknown;
}
export function promote(rollout: Obj): Ask | null {
  if (rollout.spec.paused) return { where: "spec", patch: { spec: { paused: false } } };
  const status = rollout.status ?? {};
  const count = (rollout.spec.strategy?.canary?.steps ?? []).length;
  const next = Math.min((status.currentStepIndex ?? 0) + 1, count);
  const pauses: { reason: string }[] = status.pauseConditions ?? [];
  if (pauses.some((pause) => pause.reason === "InconclusiveAnalysisRun") && count > 0)
    return { where: "status", patch: { status: { pauseConditions: null, controllerPause: false, currentStepIndex: next } } };
  if (pauses.length > 0) return { where: "status", patch: { status: { pauseConditions: null } } };
  if (count > 0 && (status.currentStepIndex ?? 0) < count) return { where: "status", patch: { status: { pauseConditions: null, currentStepIndex: next } } };
  return null;
}
export const abort: Ask = { where: "status", patch: { status: { abort: true } } };
export const retry: Ask = { where: "status", patch: { status: { abort: false } } };
export const pause: Ask = { where: "spec", patch: { spec: { paused: true } } };
/** Past all steps that are left. */
export const promoteFully: Ask = { where: "status", patch: { status: { promoteFull: true } } };

export interface Measured {
  name: string;
  phase: string;
  message: string;
  count: number;
  last: string;
}
/** What an AnalysisRun has measured, each metric by its last value. */
export function measured(run: Obj): Measured[] {
  const results: { name: string; phase: string; message?: string; count?: number; measurements?: { value?: string; message?: string }[] }[] = run.status?.metricResults ?? [];
  return results.map((metric) => ({ name: metric.name, phase: metric.phase, message: metric.message ?? "", count: metric.count ?? 0, last: valueText(metric.measurements?.at(-1)?.value ?? "") }));
}
function valueText(value: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return value;
  }
  if (Array.isArray(parsed)) return parsed.join(", ");
  if (typeof parsed !== "object" || parsed === null) return value;
  return Object.entries(parsed)
    .map(([name, one]) => `${name.replace(/([A-Z])/g, " $1").toLowerCase()} ${typeof one === "number" ? Math.round(one * 1000) / 1000 : String(one)}`)
    .join(", ");
}

/** Requests, failures and times of each version behind a service, of Prometheus' text. */
export interface Traffic {
  service: string;
  hash: string;
  requests: number;
  errors: number;
  seconds: number;
  buckets: [number, number][]; // up to so many seconds, so many (with those below)
}
const counted = /^slipway_gateway_request(s_total|_seconds_sum|_seconds_bucket)\{(.*)\} (\S+)$/;
export function traffic(metrics: string, ns: string): Traffic[] {
  const found = new Map<string, Traffic>();
  for (const line of metrics.split("\n")) {
    const parts = counted.exec(line);
    if (!parts) continue;
    const labels = Object.fromEntries([...parts[2]!.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]));
    if (labels.namespace !== ns) continue;
    const [service, hash] = [labels.service ?? "", labels.pod_template_hash ?? ""];
    const entry: Traffic = found.get(`${service} ${hash}`) ?? { service, hash, requests: 0, errors: 0, seconds: 0, buckets: [] };
    found.set(`${service} ${hash}`, entry);
    const value = Number(parts[3]);
    if (parts[1] === "_seconds_sum") entry.seconds += value;
    else if (parts[1] === "_seconds_bucket") entry.buckets.push([labels.le === "+Inf" ? Infinity : Number(labels.le), value]);
    else {
      entry.requests += value;
      if (/^5xx$|^failure$/.test(labels.code ?? "")) entry.errors += value;
    }
  }
  return [...found.values()];
}

/** The same version behind several services (stable and canary) is one. */
export function byVersion(all: Traffic[], services: string[]): Traffic[] {
  const found = new Map<string, Traffic>();
  for (const one of all) {
    if (!services.includes(one.service) || one.requests === 0) continue;
    const sum = found.get(one.hash);
    if (!sum) found.set(one.hash, { ...one, service: "" });
    else
      found.set(one.hash, {
        ...sum,
        requests: sum.requests + one.requests,
        errors: sum.errors + one.errors,
        seconds: sum.seconds + one.seconds,
        buckets: sum.buckets.map(([le, count]): [number, number] => [le, count + (one.buckets.find(([other]) => other === le)?.[1] ?? 0)]),
      });
  }
  return [...found.values()];
}

/** The time within which this share of the requests was answered; nothing when none was, or beyond the last bucket. */
export function quantile(buckets: [number, number][], share: number): number | null {
  const sorted = [...buckets].sort((a, b) => a[0] - b[0]);
  const wanted = (sorted.at(-1)?.[1] ?? 0) * share;
  if (wanted === 0) return null;
  let below = 0;
  let count = 0;
  for (const [le, upTo] of sorted) {
    if (upTo >= wanted) return le === Infinity ? null : below + ((le - below) * (wanted - count)) / Math.max(1, upTo - count);
    [below, count] = [le, upTo];
  }
  return null;
}
