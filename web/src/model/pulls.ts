// What a pull request says of itself: its state, how it ended, and its comment without what the page says already.
import type { Obj } from "../kube";
import { light, type Light } from "./path";
import { age } from "./text";

export function stateOf(pull: Obj): { light: Light; word: string } {
  const state = pull.status?.state ?? "open";
  if (state === "merged") return { light: "succeeded", word: "merged" };
  if (state === "closed") return { light: "cancelled", word: "closed" };
  return { light: light(pull.status?.checksState), word: "open" };
}

/** How it came to its end: "by admin, 2 min ago", "superseded by #4, 1 h ago"; nothing of an open one. */
export function ending(pull: Obj, now: number): string {
  const { state, message, mergedBy, mergedAt, closedAt } = pull.status ?? {};
  const since = (at?: string) => age(at, now) && `${age(at, now)} ago`;
  if (state === "merged") return [mergedBy && `by ${mergedBy}`, since(mergedAt)].filter(Boolean).join(", ");
  return state === "closed" ? [message, since(closedAt)].filter(Boolean).join(", ") : "";
}

/** The comment; its first line, when the request was closed, says what `ending` says. */
export function commentOf(pull: Obj): string {
  const { state, message, comment } = pull.status ?? {};
  const first = `Closed: ${message}.`;
  return state === "closed" && comment?.startsWith(first) ? comment.slice(first.length).trimStart() : (comment ?? "");
}
