// Workflows as people start them: the fields of their inputs, and their last runs.
import type { Obj } from "../kube";

export interface Input {
  name: string;
  type: string; // string boolean number choice environment
  description?: string;
  required?: boolean;
  default?: string;
  options?: string[];
}

export function defaultsOf(inputs: Input[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const input of inputs) values[input.name] = input.default ?? (input.type === "boolean" ? "false" : input.type === "choice" ? (input.options?.[0] ?? "") : "");
  return values;
}

/** What is wrong, by input; the server has the last word. */
export function checkInputs(inputs: Input[], values: Record<string, string>): Record<string, string> {
  const wrong: Record<string, string> = {};
  for (const input of inputs) {
    const value = values[input.name] ?? "";
    if (input.required && value === "" && input.default === undefined) wrong[input.name] = "it is required";
    else if (input.type === "number" && value !== "" && Number.isNaN(Number(value))) wrong[input.name] = "want a number";
  }
  return wrong;
}

/** Only what was changed, or has no default: an input that is left alone keeps the default of the ref that runs. */
export function given(inputs: Input[], values: Record<string, string>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const input of inputs) {
    const value = values[input.name] ?? "";
    if (value !== (input.default ?? "") && !(input.type === "boolean" && input.default === undefined && value === "false")) out[input.name] = value;
  }
  return out;
}

/** Oldest first, as a strip is read. */
export function recentRuns(runs: Obj[], workflow: Obj, most = 20): Obj[] {
  const mine = runs.filter((run) => run.spec.workflow === workflow.spec.file && run.spec.change?.repository === workflow.spec.repository);
  return mine
    .sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp))
    .slice(0, most)
    .reverse();
}

export function until(at: string, now: number): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  if (Number.isNaN(seconds)) return at;
  if (seconds <= 0) return "now";
  if (seconds < 60) return "in less than a minute";
  if (seconds < 3600) return `in ${Math.round(seconds / 60)} min`;
  if (seconds < 2 * 86400) return `in ${Math.round(seconds / 3600)} h`;
  return `in ${Math.round(seconds / 86400)} d`;
}
