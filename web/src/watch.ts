// Lists that stay true: each listed once, then kept by a watch. A browser opens six connections to a host and a view
// looks at more kinds than that, so all watches share one (/watch). What ends is taken up where it stopped; what is too
// old to be taken up (410) is listed anew; a server that is away is asked again, ever more patiently.
import { ApiError, onToken, request, token, type Obj } from "./kube";

export type State = "loading" | "live" | "away" | "refused";
export interface WatchEvent {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: Obj & { code?: number; message?: string };
}
export interface JoinedLine {
  of: number;
  event?: WatchEvent;
  end?: number;
  message?: string;
}

/** Whole lines of a stream that comes in pieces; the rest stays for the next piece. */
export function splitLines(rest: string, piece: string): { lines: string[]; rest: string } {
  const parts = (rest + piece).split("\n");
  return { rest: parts.pop()!, lines: parts.filter((line) => line !== "") };
}

/** The map with the event in it; the version to go on from. "gone": list anew. */
export function applyEvent(items: Map<string, Obj>, event: WatchEvent): string | "gone" {
  if (event.type === "ERROR") return "gone";
  const { uid, resourceVersion } = event.object.metadata;
  if (event.type === "DELETED") items.delete(uid);
  else if (event.type !== "BOOKMARK") items.set(uid, event.object);
  return resourceVersion;
}

export const firstDelay = 250;
export function nextDelay(delay: number): number {
  return Math.min(delay * 2, 8000);
}
const pause = (ms: number) => new Promise<void>((go) => setTimeout(go, ms));

export async function readLines(answer: Response, take: (line: string) => void): Promise<void> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const split = splitLines(rest, value);
    rest = split.rest;
    split.lines.forEach(take);
  }
  if (rest) take(rest);
}

export class Collection {
  readonly items = new Map<string, Obj>();
  state: State = "loading";
  problem = "";
  version = ""; // to watch from; "": not listed yet
  private readonly calls = new Set<() => void>();
  private running = false;
  private told = false;

  constructor(
    readonly path: string,
    private readonly query: string,
    private readonly hub: Hub,
  ) {}

  get wanted(): boolean {
    return this.calls.size > 0;
  }
  get watchPath(): string {
    return `${this.path}?watch=1&allowWatchBookmarks=true&resourceVersion=${this.version}${this.query ? `&${this.query}` : ""}`;
  }

  subscribe(call: () => void): () => void {
    this.calls.add(call);
    this.start();
    return () => {
      this.calls.delete(call);
      // A view that comes back at once finds it running.
      setTimeout(() => {
        if (this.wanted || !this.running) return;
        this.running = false;
        this.version = "";
        this.hub.leave(this);
      }, 2000);
    };
  }

  private start() {
    if (this.running) return;
    this.running = true;
    void this.list();
  }

  tell(state: State, problem = "") {
    this.state = state;
    this.problem = problem;
    if (this.told) return;
    this.told = true;
    setTimeout(() => {
      this.told = false;
      for (const call of this.calls) call();
    }, 16);
  }

  async list(): Promise<void> {
    for (let delay = firstDelay; this.running; delay = nextDelay(delay)) {
      try {
        const answer = await request(this.query ? `${this.path}?${this.query}` : this.path, { headers: { Accept: "application/json" } });
        const list = (await answer.json()) as { metadata: { resourceVersion: string }; items: Obj[] };
        this.items.clear();
        for (const item of list.items) this.items.set(item.metadata.uid, item);
        this.version = list.metadata.resourceVersion;
        this.tell("live");
        this.hub.join(this);
        return;
      } catch (error) {
        if (error instanceof ApiError && [401, 403, 404].includes(error.status)) {
          this.running = false;
          this.tell("refused", error.message);
          return;
        }
        this.tell("away", (error as Error).message);
        await pause(delay);
      }
    }
  }

  take(line: JoinedLine): "stays" | "reopen" {
    if (line.event) {
      const next = applyEvent(this.items, line.event);
      if (next !== "gone") {
        this.version = next;
        this.tell("live");
        return "stays";
      }
    }
    if (line.end === 200) return "reopen";
    if (line.end === 403 || line.end === 404) {
      this.running = false;
      this.hub.leave(this);
      this.tell("refused", line.message);
      return "stays";
    }
    this.version = "";
    this.hub.leave(this);
    void this.list();
    return "stays";
  }
}

/** The one connection, opened anew when what is looked at changes. */
export class Hub {
  private readonly members = new Set<Collection>();
  private stopper: AbortController | null = null;
  private due: ReturnType<typeof setTimeout> | null = null;
  private delay = firstDelay;

  join(one: Collection) {
    this.members.add(one);
    this.open(20);
  }
  leave(one: Collection) {
    this.members.delete(one);
  }
  private open(after: number) {
    if (this.due) clearTimeout(this.due);
    this.due = setTimeout(() => {
      this.due = null;
      this.stopper?.abort();
      if (this.members.size > 0) void this.follow((this.stopper = new AbortController()));
    }, after);
  }

  private async follow(stopper: AbortController) {
    const list = [...this.members].filter((one) => one.version !== "");
    if (list.length === 0) return;
    try {
      const of = list.map((one) => `of=${encodeURIComponent(one.watchPath)}`).join("&");
      const answer = await request(`/watch?${of}`, { signal: stopper.signal });
      for (const one of list) one.tell("live");
      this.delay = firstDelay;
      await readLines(answer, (text) => {
        const line = JSON.parse(text) as JoinedLine;
        const one = list[line.of];
        // One that left and came back meanwhile is listed anew; what this connection says of it is of the past.
        if (!stopper.signal.aborted && one && this.members.has(one) && one.take(line) === "reopen") this.open(20);
      });
    } catch (error) {
      if (stopper.signal.aborted) return;
      for (const one of list) one.tell("away", (error as Error).message);
    }
    if (stopper.signal.aborted || this.due) return;
    this.open(this.delay);
    this.delay = nextDelay(this.delay);
  }
}

const hub = new Hub();
const known = new Map<string, Collection>();
/** One collection a path, however many views look at it. */
export function collection(path: string, query = ""): Collection {
  const key = `${path}?${query}`;
  let found = known.get(key);
  if (!found) known.set(key, (found = new Collection(path, query, hub)));
  return found;
}
onToken(() => {
  if (!token()) known.clear();
});
