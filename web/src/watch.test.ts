import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Obj } from "./kube";
import { applyEvent, Collection, Hub, nextDelay, splitLines, type WatchEvent } from "./watch";

const object = (uid: string, version: string): Obj => ({ metadata: { name: uid, uid, resourceVersion: version, creationTimestamp: "" }, spec: {} });

describe("splitLines", () => {
  it.each([
    ["whole lines", "", "a\nb\n", ["a", "b"], ""],
    ["a line in two pieces", "a", "b\nc", ["ab"], "c"],
    ["empty lines say nothing", "", "\n\na\n", ["a"], ""],
    ["no end yet", "ab", "c", [], "abc"],
  ])("%s", (_, rest, piece, lines, left) => expect(splitLines(rest, piece)).toEqual({ lines, rest: left }));
});

describe("applyEvent", () => {
  it("adds, changes, deletes, and moves on", () => {
    const items = new Map<string, Obj>();
    expect(applyEvent(items, { type: "ADDED", object: object("a", "1") })).toBe("1");
    expect(applyEvent(items, { type: "MODIFIED", object: object("a", "2") })).toBe("2");
    expect(items.get("a")!.metadata.resourceVersion).toBe("2");
    expect(applyEvent(items, { type: "BOOKMARK", object: object("", "7") })).toBe("7");
    expect(items.size).toBe(1);
    expect(applyEvent(items, { type: "DELETED", object: object("a", "8") })).toBe("8");
    expect(items.size).toBe(0);
  });
  it("wants a new list after an error", () => {
    expect(applyEvent(new Map(), { type: "ERROR", object: { ...object("", ""), code: 410 } } as WatchEvent)).toBe("gone");
  });
});

describe("nextDelay", () => {
  it("grows to a limit", () => expect([250, 500, 8000].map(nextDelay)).toEqual([500, 1000, 8000]));
});

// A server of two lists, whose watch is written to by hand.
describe("Hub", () => {
  let asked: string[];
  let versions: Record<string, string>;
  let items: Record<string, Obj[]>;
  let write: (line: unknown) => void;
  let breakOff: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("sessionStorage", { getItem: () => "t", setItem: () => undefined, removeItem: () => undefined });
    asked = [];
    versions = { "/a": "10", "/b": "20" };
    items = { "/a": [object("a1", "9")], "/b": [] };
    vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
      asked.push(decodeURIComponent(path));
      if (!path.startsWith("/watch")) return Promise.resolve(Response.json({ metadata: { resourceVersion: versions[path] }, items: items[path] }));
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          write = (line) => controller.enqueue(new TextEncoder().encode(JSON.stringify(line) + "\n"));
          breakOff = () => controller.error(new Error("gone away"));
          init.signal?.addEventListener("abort", () => controller.error(new Error("aborted")));
        },
      });
      return Promise.resolve(new Response(stream));
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const settle = () => vi.advanceTimersByTimeAsync(60);

  it("lists each, then watches all on one connection", async () => {
    const hub = new Hub();
    const a = new Collection("/a", "", hub);
    const b = new Collection("/b", "", hub);
    a.subscribe(() => undefined);
    b.subscribe(() => undefined);
    await settle();
    expect(asked).toEqual(["/a", "/b", "/watch?of=/a?watch=1&allowWatchBookmarks=true&resourceVersion=10&of=/b?watch=1&allowWatchBookmarks=true&resourceVersion=20"]);
    write({ of: 1, event: { type: "ADDED", object: object("b1", "21") } });
    await settle();
    expect([...b.items.keys()]).toEqual(["b1"]);
    expect([...a.items.keys()]).toEqual(["a1"]);
  });

  it("goes on where it stopped when the connection breaks", async () => {
    const hub = new Hub();
    const a = new Collection("/a", "", hub);
    a.subscribe(() => undefined);
    await settle();
    write({ of: 0, event: { type: "ADDED", object: object("a2", "11") } });
    await settle();
    breakOff();
    await settle();
    expect(a.state).toBe("away");
    await vi.advanceTimersByTimeAsync(400);
    expect(a.state).toBe("live");
    expect(asked.at(-1)).toContain("resourceVersion=11");
    expect(asked.filter((path) => path === "/a").length).toBe(1);
  });

  it("lists anew what is too old to be taken up", async () => {
    const hub = new Hub();
    const a = new Collection("/a", "", hub);
    a.subscribe(() => undefined);
    await settle();
    items["/a"] = [object("a3", "30")];
    versions["/a"] = "31";
    write({ of: 0, event: { type: "ERROR", object: { metadata: {}, code: 410 } } });
    await settle();
    expect([...a.items.keys()]).toEqual(["a3"]);
    expect(asked.at(-1)).toContain("resourceVersion=31");
  });

  it("says who refuses, and leaves the others alone", async () => {
    const hub = new Hub();
    const a = new Collection("/a", "", hub);
    const b = new Collection("/b", "", hub);
    a.subscribe(() => undefined);
    b.subscribe(() => undefined);
    await settle();
    write({ of: 1, end: 403, message: "forbidden" });
    await settle();
    expect([b.state, b.problem, a.state]).toEqual(["refused", "forbidden", "live"]);
  });
});
