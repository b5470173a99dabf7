// The kinds that the server knows, and where the page shows one of their objects.
import { useEffect, useState } from "preact/hooks";
import { get } from "./kube";

export interface Kind {
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}
interface Resources {
  groupVersion: string;
  resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
}

export function pathFor(kind: Kind, ns?: string, name?: string): string {
  const base = kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`;
  return `${base}${ns ? `/namespaces/${ns}` : ""}/${kind.plural}${name ? `/${name}` : ""}`;
}

export function linkOf(kind: Pick<Kind, "group" | "version" | "plural">, ns: string | undefined, name: string): string {
  return `#/object/${kind.group || "core"}/${kind.version}/${kind.plural}/${ns ?? "-"}/${encodeURIComponent(name)}`;
}

let known: Promise<Kind[]> | null = null;
function discover(): Promise<Kind[]> {
  const load = async () => {
    const groups = await get<{ groups: { name: string; preferredVersion: { groupVersion: string } }[] }>("/apis");
    const versions = ["v1", ...groups.groups.map((g) => g.preferredVersion.groupVersion)];
    const all = await Promise.all(versions.map((gv) => get<Resources>(gv === "v1" ? "/api/v1" : `/apis/${gv}`)));
    return all
      .flatMap((list) => {
        const [version, group] = list.groupVersion.split("/").reverse();
        return list.resources.filter((r) => !r.name.includes("/") && r.verbs.includes("watch")).map((r) => ({ group: group ?? "", version: version!, plural: r.name, kind: r.kind, namespaced: r.namespaced }));
      })
      .sort((a, b) => a.group.localeCompare(b.group) || a.kind.localeCompare(b.kind));
  };
  return (known ??= load().catch((error: unknown) => {
    known = null;
    throw error;
  }));
}
export function useKinds(): { kinds: Kind[]; problem: string } {
  const [state, set] = useState<{ kinds: Kind[]; problem: string }>({ kinds: [], problem: "" });
  useEffect(() => {
    discover().then(
      (kinds) => set({ kinds, problem: "" }),
      (error: Error) => set({ kinds: [], problem: error.message }),
    );
  }, []);
  return state;
}
