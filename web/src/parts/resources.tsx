import { linkOf, useKinds } from "../kinds";
import type { Condition } from "../model/applications";
import type { Light } from "../model/path";
import { count } from "../model/text";
import { Dot } from "./parts";

export interface Thing {
  group?: string;
  kind: string;
  namespace?: string;
  name: string;
  light: Light;
  title: string; // of the light
  note: string;
}

/** A link to any object; its name alone where the server does not know the kind. */
export function ObjectLink({ of }: { of: Pick<Thing, "group" | "kind" | "namespace" | "name"> }) {
  const { kinds } = useKinds();
  const kind = kinds.find((one) => one.kind === of.kind && one.group === (of.group ?? ""));
  return kind ? <a href={linkOf(kind, kind.namespaced ? of.namespace : undefined, of.name)}>{of.name}</a> : <span>{of.name}</span>;
}

export function Resources({ of }: { of: Thing[] }) {
  if (of.length === 0) return null;
  return (
    <details>
      <summary>{count(of.length, "object")}</summary>
      <ul class="resources">
        {of.map((one) => (
          <li key={`${one.group}/${one.kind}/${one.namespace}/${one.name}`}>
            <Dot light={one.light} title={one.title} /> {one.kind} <ObjectLink of={one} /> <span class="quiet">{one.note}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Errors red, warnings amber. */
export function Conditions({ of }: { of: Condition[] }) {
  return (
    <>
      {of.map((one) => (
        <p class={one.bad ? "problem" : "caution"} key={`${one.type} ${one.message}`}>
          <strong>{one.type}</strong> {one.message}
        </p>
      ))}
    </>
  );
}
