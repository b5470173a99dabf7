import { reconcile } from "../asks";
import { linkOf } from "../kinds";
import type { Obj } from "../kube";
import { inventoryOf, nameOf, stateOf } from "../model/kustomizations";
import { Act, Chip, Dot } from "./parts";
import { Conditions, Resources } from "./resources";
import { RolloutCard, type Seen } from "./rollout";

/** A Flux Kustomization, as the Applications are, as far as its status goes. */
export function KustomizationCard({ one, rollouts, seen, analyses, now }: { one: Obj; rollouts: Obj[]; seen: Seen; analyses: Obj[]; now: number }) {
  const state = stateOf(one);
  const source = one.spec.sourceRef ?? {};
  return (
    <section class="card" aria-label={`Kustomization ${nameOf(one)}`}>
      <h3>
        <Dot light={state.light} title={state.word} /> <a href={linkOf({ group: "kustomize.toolkit.fluxcd.io", version: "v1", plural: "kustomizations" }, one.metadata.namespace, one.metadata.name)}>{nameOf(one)}</a>{" "}
        <span class="quiet">Kustomization</span>
      </h3>
      <p>
        <Chip light={state.light}>{state.word}</Chip>{" "}
        <span class="quiet">
          {one.spec.path || "./"} of {source.kind} {source.namespace ? `${source.namespace}/` : ""}
          {source.name}
          {state.revision && ` at ${state.revision}`}
          {state.tried && `, tried ${state.tried}`}
        </span>
      </p>
      <Conditions of={state.conditions} />
      {rollouts.map((rollout) => (
        <RolloutCard rollout={rollout} seen={seen} analyses={analyses} now={now} key={rollout.metadata.uid} />
      ))}
      <Resources of={inventoryOf(one).map((entry) => ({ ...entry, light: "succeeded" as const, title: "applied", note: "" }))} />
      {/* Flux passes over what is suspended; so would the button. */}
      {!one.spec.suspend && (
        <p class="acts">
          <Act label="Reconcile" kind="plain" run={() => reconcile(one)} />
        </p>
      )}
    </section>
  );
}
