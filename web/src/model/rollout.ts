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

/** Requests, failures and mean latency of each version behind a service, of Prometheus' text. */
export interface Traffic {
  service: string;
  hash: string;
  requests: number;
  errors: number;
}
export function traffic(metrics: string, ns: string): Traffic[] {
  const found = new Map<string, Traffic>();
  for (const line of metrics.split("\n")) {
    const parts = /^slipway_gateway_requests_total\{(.*)\} (\S+)$/.exec(line);
    if (!parts) continue;
    const labels = Object.fromEntries([...parts[1]!.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]));
    if (labels.namespace !== ns) continue;
    const key = `${labels.service} ${labels.pod_template_hash ?? ""}`;
    const entry = found.get(key) ?? { service: labels.service ?? "", hash: labels.pod_template_hash ?? "", requests: 0, errors: 0 };
    const count = Number(parts[2]);
    entry.requests += count;
    if (/^5xx$|^failure$/.test(labels.code ?? "")) entry.errors += count;
    found.set(key, entry);
  }
  return [...found.values()];
}
