import { useEffect, useState } from "preact/hooks";
import { useClock, useLive } from "../hooks";
import { pathOf, request, type Obj } from "../kube";
import { nameOf } from "../model/applications";
import { inventoryOf, nameOf as kustomizationName } from "../model/kustomizations";
import { matrix, type Cell } from "../model/path";
import { isMoving } from "../model/rollout";
import { AppCard } from "../parts/application";
import { Deployments } from "../parts/deployments";
import { KustomizationCard } from "../parts/kustomization";
import { Empty, Problem } from "../parts/parts";
import { RolloutCard, type Seen } from "../parts/rollout";
import { usePath } from "./path";

// Counters send no events; they are read while somebody looks, and often only while traffic shifts.
function useTraffic(often: boolean): Seen {
  const [seen, set] = useState<Seen>({ now: "", before: "", seconds: 0 });
  useEffect(() => {
    let over = false;
    let last = { text: "", at: 0 };
    const read = async () => {
      if (!document.hidden)
        try {
          const text = await (await request("/metrics")).text();
          const at = performance.now();
          if (!over) set({ now: text, before: last.text, seconds: last.at ? (at - last.at) / 1000 : 0 });
          last = { text, at };
        } catch {
          // The lists say that Slipway is away.
        }
      if (!over) timer = setTimeout(() => void read(), often ? 2000 : 10000);
    };
    let timer = setTimeout(() => void read(), 0);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [often]);
  return seen;
}

function applicationOf(pipelines: Obj[], pipeline: string, environment: string): string | undefined {
  const environments: { name: string; application?: string }[] = pipelines.find((one) => one.metadata.name === pipeline)?.spec.environments ?? [];
  return environments.find((one) => one.name === environment)?.application;
}

export function Environments() {
  const { all, live } = usePath();
  const everywhere = useLive(pathOf.applications);
  // Who may not read all namespaces sees those that are at home.
  const apps = useLive(everywhere.state === "refused" ? pathOf.homeApplications : pathOf.applications);
  const kustomizations = useLive(pathOf.kustomizations);
  const rollouts = useLive(pathOf.rollouts);
  const analyses = useLive(pathOf.analyses);
  const environments = useLive(pathOf.own("environments"));
  const seen = useTraffic(rollouts.items.some((rollout) => isMoving(rollout)));
  const now = useClock();
  // In the order of the path; others after them.
  const stages: { application?: string; cells: Cell[] }[] = matrix(all).flatMap((one) => one.environments.map((name, i) => ({ application: applicationOf(all.pipelines, one.pipeline, name), cells: one.services.map((service) => service.cells[i]!) })));
  const isOf = (stage: { application?: string }, app: Obj) => stage.application === nameOf(app); // Pipelines name those at home
  const place = (app: Obj) => (stages.findIndex((stage) => isOf(stage, app)) + stages.length + 1) % (stages.length + 1);
  const shown = [...apps.items].sort((a, b) => place(a) - place(b) || nameOf(a).localeCompare(nameOf(b)));
  const fluxed = [...kustomizations.items].sort((a, b) => kustomizationName(a).localeCompare(kustomizationName(b)));
  const namespaceOf = (app: Obj): string => app.spec.destination?.namespace ?? "";
  const namespaces = new Set(shown.map(namespaceOf));
  const byName = [...rollouts.items].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  const rolloutsOf = (one: Obj): Obj[] => {
    const held = new Set(inventoryOf(one).filter((entry) => entry.kind === "Rollout" && entry.group === "argoproj.io").map((entry) => `${entry.namespace}/${entry.name}`));
    return byName.filter((rollout) => held.has(`${rollout.metadata.namespace}/${rollout.metadata.name}`));
  };
  const fluxedRollouts = new Set(fluxed.flatMap(rolloutsOf));
  const others = byName.filter((rollout) => !namespaces.has(rollout.metadata.namespace ?? "") && !fluxedRollouts.has(rollout));
  return (
    <>
      <Problem of={[...live, apps, kustomizations, rollouts, analyses]} />
      <h1>Environments</h1>
      <div class="cards">
        {shown.map((app) => (
          <AppCard
            app={app}
            cells={stages.find((stage) => isOf(stage, app))?.cells ?? []}
            rollouts={byName.filter((rollout) => rollout.metadata.namespace === namespaceOf(app))}
            seen={seen}
            analyses={analyses.items}
            now={now}
            key={app.metadata.uid}
          />
        ))}
        {fluxed.map((one) => (
          <KustomizationCard one={one} rollouts={rolloutsOf(one)} seen={seen} analyses={analyses.items} now={now} key={one.metadata.uid} />
        ))}
        {others.length > 0 && (
          <section class="card">
            <h3>Rollouts of no Application</h3>
            {others.map((rollout) => (
              <RolloutCard rollout={rollout} seen={seen} analyses={analyses.items} now={now} key={rollout.metadata.uid} />
            ))}
          </section>
        )}
      </div>
      <Deployments environments={environments.items} now={now} />
      {apps.items.length + fluxed.length === 0 && environments.items.length === 0 && apps.state === "live" && (
        <Empty>
          No Application so far. <code>slipway bootstrap REPOSITORY</code> makes them from a configuration repository.
        </Empty>
      )}
    </>
  );
}
