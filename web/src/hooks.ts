import { useEffect, useMemo, useReducer, useState } from "preact/hooks";
import type { Obj } from "./kube";
import { collection, type State } from "./watch";

export interface Live {
  items: Obj[];
  state: State;
  problem: string;
}

/** The objects below an API path, newest first, kept true. */
export function useLive(path: string, query = ""): Live {
  const [count, again] = useReducer((n: number) => n + 1, 0);
  const source = useMemo(() => collection(path, query), [path, query]);
  useEffect(() => source.subscribe(() => again(undefined)), [source]);
  return useMemo(
    () => ({
      items: [...source.items.values()].sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp)),
      state: source.state,
      problem: source.problem,
    }),
    [source, count, source.state],
  );
}

export function useHash(): string {
  const [hash, set] = useState(location.hash || "#/");
  useEffect(() => {
    const take = () => set(location.hash || "#/");
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, []);
  return hash;
}

/** Ages move on without anything happening: once in a while is enough. */
export function useClock(every = 5000): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && set(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
