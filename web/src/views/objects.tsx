import { useEffect, useMemo, useState } from "preact/hooks";
import { useClock, useLive } from "../hooks";
import { linkOf, pathFor, useKinds, type Kind } from "../kinds";
import { request, type Obj } from "../kube";
import { age } from "../model/text";
import { Log } from "../parts/log";
import { Empty, Problem } from "../parts/parts";

interface Table {
  columnDefinitions: { name: string; priority: number; description?: string }[];
  rows: { cells: unknown[]; object: { metadata: Obj["metadata"] } }[];
}

/** The server's own table of a kind, made again when one of its objects changes. */
function TableOf({ kind }: { kind: Kind }) {
  const path = pathFor(kind);
  const live = useLive(path);
  const [table, setTable] = useState<Table | null>(null);
  const [filter, setFilter] = useState("");
  const mark = useMemo(() => live.items.map((item) => item.metadata.resourceVersion).join(), [live.items]);
  useEffect(() => {
    let over = false;
    const timer = setTimeout(() => {
      request(path, { headers: { Accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } })
        .then((answer) => answer.json())
        .then((found: Table) => !over && setTable(found))
        .catch(() => undefined);
    }, 150);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [path, mark]);
  if (live.state !== "live") return <Problem of={[live]} />;
  if (!table) return null;
  const columns = table.columnDefinitions.map((c, i) => ({ ...c, i })).filter((c) => c.priority === 0);
  const rows = table.rows.filter((row) => `${row.object.metadata.namespace ?? ""}/${row.object.metadata.name}`.includes(filter));
  return (
    <>
      <label class="filter">
        Filter <input value={filter} onInput={(event) => setFilter(event.currentTarget.value)} placeholder="namespace/name" />
        <span class="quiet">
          {rows.length} of {table.rows.length}
        </span>
      </label>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              {kind.namespaced && <th>Namespace</th>}
              {columns.map((column) => (
                <th title={column.description}>{column.name}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.object.metadata.uid}>
                {kind.namespaced && <td>{row.object.metadata.namespace}</td>}
                {columns.map((column) => (
                  <td>{column.i === 0 ? <a href={linkOf(kind, row.object.metadata.namespace, row.object.metadata.name)}>{String(row.cells[0])}</a> : String(row.cells[column.i] ?? "")}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {table.rows.length === 0 && <Empty>There are none.</Empty>}
    </>
  );
}

export function Objects({ kind: words }: { kind: string[] }) {
  const { kinds, problem } = useKinds();
  const [group, plural] = [words[0] ?? "core", words[1] ?? "pods"];
  const chosen = kinds.find((kind) => (kind.group || "core") === group && kind.plural === plural);
  const groups = [...new Set(kinds.map((kind) => kind.group || "core"))];
  return (
    <div class="objects">
      <nav aria-label="kinds">
        {groups.map((name) => (
          <details open={name === group || ["core", "apps", "slipway.dev"].includes(name)}>
            <summary>{name}</summary>
            {kinds
              .filter((kind) => (kind.group || "core") === name)
              .map((kind) => (
                <a href={`#/objects/${name}/${kind.plural}`} aria-current={kind === chosen ? "page" : undefined}>
                  {kind.kind}
                </a>
              ))}
          </details>
        ))}
      </nav>
      <div>
        {problem && <p class="problem">{problem}</p>}
        {chosen && (
          <>
            <h1>
              {chosen.kind} <span class="quiet">{chosen.group ? `${chosen.group}/${chosen.version}` : chosen.version}</span>
            </h1>
            <TableOf kind={chosen} key={pathFor(chosen)} />
          </>
        )}
      </div>
    </div>
  );
}

function Events({ of, now }: { of: Obj; now: number }) {
  const ns = of.metadata.namespace ?? "default";
  const live = useLive(`/api/v1/namespaces/${ns}/events`, `fieldSelector=${encodeURIComponent(`involvedObject.uid=${of.metadata.uid}`)}`);
  if (live.items.length === 0) return null;
  return (
    <section>
      <h2>Events</h2>
      <ul class="events">
        {live.items.map((event) => {
          const e = event as unknown as { type: string; reason: string; message: string; count?: number; lastTimestamp?: string };
          return (
            <li class={e.type === "Warning" ? "warning" : ""}>
              <strong>{e.reason}</strong> {e.message} <span class="quiet">{(e.count ?? 1) > 1 ? `${e.count} times, ` : ""}{age(e.lastTimestamp, now)} ago</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

// What controllers make things of; their children are looked for among these.
const makers: Kind[] = [
  ["apps", "v1", "replicasets"],
  ["apps", "v1", "deployments"],
  ["", "v1", "pods"],
  ["batch", "v1", "jobs"],
  ["argoproj.io", "v1alpha1", "analysisruns"],
].map(([group, version, plural]) => ({ group: group!, version: version!, plural: plural!, kind: "", namespaced: true }));
function State({ of }: { of: Obj }) {
  const ready = of.status?.readyReplicas ?? of.status?.succeeded;
  return <span class="quiet">{of.status?.phase ?? (of.spec?.replicas !== undefined ? `${ready ?? 0} of ${of.spec.replicas} ready` : "")}</span>;
}

/** What it was made of and what was made of it. */
function Family({ of }: { of: Obj }) {
  const ns = of.metadata.namespace ?? "";
  const lists = makers.map((kind) => ({ kind, live: useLive(pathFor(kind, ns)) }));
  const { kinds } = useKinds();
  if (!ns) return null;
  const children = (uid: string): { kind: Kind; item: Obj }[] => lists.flatMap(({ kind, live }) => live.items.filter((item) => item.metadata.ownerReferences?.some((o) => o.uid === uid)).map((item) => ({ kind, item })));
  const parents = of.metadata.ownerReferences ?? [];
  const tree = (uid: string, depth: number) =>
    depth > 4 ? null : (
      <ul>
        {children(uid).map(({ kind, item }) => (
          <li key={item.metadata.uid}>
            {kind.plural.replace(/s$/, "")} <a href={linkOf(kind, ns, item.metadata.name)}>{item.metadata.name}</a> <State of={item} />
            {tree(item.metadata.uid, depth + 1)}
          </li>
        ))}
      </ul>
    );
  if (parents.length === 0 && children(of.metadata.uid).length === 0) return null;
  return (
    <section>
      <h2>Family</h2>
      {parents.map((parent) => {
        const kind = kinds.find((k) => k.kind === parent.kind && (k.group ? `${k.group}/${k.version}` : k.version) === parent.apiVersion);
        return (
          <p>
            of {kind ? <a href={linkOf(kind, kind.namespaced ? ns : undefined, parent.name)}>{parent.kind} {parent.name}</a> : `${parent.kind} ${parent.name}`}
          </p>
        );
      })}
      {tree(of.metadata.uid, 0)}
    </section>
  );
}

function Logs({ pod }: { pod: Obj }) {
  const containers: string[] = [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])].map((c: { name: string }) => c.name);
  const [chosen, choose] = useState(pod.spec.containers?.[0]?.name ?? "");
  const states: { name: string; state?: { running?: unknown } }[] = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const running = states.some((one) => one.name === chosen && one.state?.running !== undefined);
  return (
    <section>
      <h2>
        Log{" "}
        {containers.length > 1 && (
          <select aria-label="container" value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
            {containers.map((name) => (
              <option>{name}</option>
            ))}
          </select>
        )}
      </h2>
      <Log path={`/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}/log?follow=true&tailLines=1000&container=${encodeURIComponent(chosen)}`} more={running} key={chosen} />
    </section>
  );
}

export function ObjectView({ words }: { words: string[] }) {
  const [group, version, plural, ns, name] = words as [string, string, string, string, string];
  const kind: Kind = { group: group === "core" ? "" : group, version, plural, kind: "", namespaced: ns !== "-" };
  const live = useLive(pathFor(kind, ns === "-" ? undefined : ns), `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`);
  const now = useClock();
  const object = live.items[0];
  const [yaml, setYaml] = useState("");
  const version_ = object?.metadata.resourceVersion;
  useEffect(() => {
    if (!version_) return;
    let over = false;
    request(pathFor(kind, ns === "-" ? undefined : ns, name), { headers: { Accept: "application/yaml" } })
      .then((answer) => answer.text())
      .then((text) => !over && setYaml(text.replace(/\n  managedFields:\n(?:  (?:- | ).*\n)+/, "\n")))
      .catch(() => undefined);
    return () => void (over = true);
  }, [version_, name, plural]);
  if (!object) return live.state === "live" ? <Empty>There is no {plural}/{name} (any more).</Empty> : <Problem of={[live]} />;
  return (
    <>
      <Problem of={[live]} />
      <p class="quiet">
        <a href={`#/objects/${group}/${plural}`}>{plural}</a> {ns !== "-" && ns}
      </p>
      <h1>{name}</h1>
      <p class="quiet">
        made {age(object.metadata.creationTimestamp, now)} ago{object.metadata.deletionTimestamp ? ", on its way out" : ""}
      </p>
      <Family of={object} />
      <Events of={object} now={now} />
      {group === "core" && plural === "pods" && <Logs pod={object} />}
      <section>
        <h2>As it is</h2>
        <pre class="code">{yaml}</pre>
      </section>
    </>
  );
}
