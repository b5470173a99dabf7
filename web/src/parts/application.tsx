import { approveDeletion, refresh, sync, terminate } from "../asks";
import { linkOf } from "../kinds";
import type { Obj } from "../kube";
import { conditionsOf, nameOf, operationOf, sourceOf, type Operation } from "../model/applications";
import type { Cell, Light } from "../model/path";
import { Holds } from "./holds";
import { Act, Chip, Dot, healthLight } from "./parts";
import { Conditions, ObjectLink, Resources, type Thing } from "./resources";
import { RolloutCard, type Seen } from "./rollout";

const syncLight: Record<string, Light> = { Synced: "succeeded", OutOfSync: "waiting", Unknown: "pending" };

/** The last sync, or the one under way: how it stands, why, and which hooks or objects are about it. */
function OperationOf({ of }: { of: Operation }) {
  return (
    <div class="operation">
      <p class={of.light === "failed" ? "problem" : "quiet"}>
        <Dot light={of.light} hidden /> {of.text}
        {of.message && `: ${of.message}`}
      </p>
      {of.parts.length > 0 && (
        <ul class="resources">
          {of.parts.map((part) => (
            <li key={`${part.what} ${part.of.namespace}/${part.of.name}`}>
              <Dot light={of.light} /> {part.what} <ObjectLink of={part.of} /> <span class="quiet">{part.message}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface Resource {
  group?: string;
  kind: string;
  namespace?: string;
  name: string;
  status?: string;
  health?: { status: string; message?: string };
}
function thing(one: Resource): Thing {
  const light = one.health ? (healthLight[one.health.status] ?? "pending") : one.status === "OutOfSync" ? "waiting" : "succeeded";
  const sick = one.health && one.health.status !== "Healthy" ? (one.health.message ?? "") : "";
  const note = [one.status !== "Synced" && one.status, sick].filter(Boolean).join(": ");
  return { group: one.group, kind: one.kind, namespace: one.namespace, name: one.name, light, title: `${one.status ?? ""} ${one.health?.status ?? ""}`.trim(), note };
}

export function AppCard({ app, cells, rollouts, seen, analyses, now }: { app: Obj; cells: Cell[]; rollouts: Obj[]; seen: Seen; analyses: Obj[]; now: number }) {
  const status = app.status ?? {};
  const health = healthLight[status.health?.status] ?? "pending";
  const operation = operationOf(app, now);
  const conditions = conditionsOf(app);
  const asksToDelete = conditions.find((condition) => condition.type === "DeletionWarning");
  return (
    <section class="card" aria-label={nameOf(app)}>
      <h3>
        <Dot light={health} title={status.health?.status} /> <a href={linkOf({ group: "argoproj.io", version: "v1alpha1", plural: "applications" }, app.metadata.namespace, app.metadata.name)}>{nameOf(app)}</a>
      </h3>
      <p>
        <Chip light={health}>{status.health?.status ?? "unknown"}</Chip> <Chip light={syncLight[status.sync?.status] ?? "pending"}>{status.sync?.status ?? "unknown"}</Chip>{" "}
        <span class="quiet">{sourceOf(app)}</span>
      </p>
      {operation && <OperationOf of={operation} />}
      {status.health?.message && status.health.status !== "Healthy" && <p class={health === "failed" ? "problem" : "quiet"}>{status.health.message}</p>}
      <Conditions of={conditions} />
      <Holds cells={cells} now={now} />
      {rollouts.map((rollout) => (
        <RolloutCard rollout={rollout} seen={seen} analyses={analyses} now={now} key={rollout.metadata.uid} />
      ))}
      <Resources of={((status.resources ?? []) as Resource[]).map(thing)} />
      <p class="acts">
        <Act label="Sync" kind="plain" run={() => sync(app)} />
        <Act label="Refresh" kind="plain" run={() => refresh(app)} />
        {status.operationState?.phase === "Running" && <Act label="Terminate" kind="danger" confirm={`End the sync of ${nameOf(app)} that runs?`} run={() => terminate(app)} />}
        {asksToDelete && <Act label="Let it delete" kind="danger" confirm={`${nameOf(app)}: ${asksToDelete.message}. Delete now?`} run={() => approveDeletion(app)} />}
      </p>
    </section>
  );
}
