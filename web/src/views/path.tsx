import { useLive, useClock, type Live } from "../hooks";
import { approve } from "../asks";
import { pathOf, type Obj } from "../kube";
import { pathMaps } from "../model/map";
import { board, type Objects, type Rail, type Row, type Stop } from "../model/path";
import { age, brief } from "../model/text";
import { PathMapOf } from "../parts/map";
import { Act, Chip, Dot, Empty, Problem } from "../parts/parts";

export function usePath(): { all: Objects; live: Live[] } {
  const changes = useLive(pathOf.own("changes"));
  const runs = useLive(pathOf.own("workflowruns"));
  const artifacts = useLive(pathOf.own("artifacts"));
  const promotions = useLive(pathOf.own("promotions"));
  const releases = useLive(pathOf.own("releases"));
  const pipelines = useLive(pathOf.own("pipelines"));
  const all = { changes: changes.items, runs: runs.items, artifacts: artifacts.items, promotions: promotions.items, releases: releases.items, pipelines: pipelines.items };
  return { all, live: [changes, runs, artifacts, promotions, releases, pipelines] };
}

function StopOf({ stop }: { stop: Stop }) {
  return (
    <li class={`stop ${stop.light}${stop.environment ? " environment" : ""}`}>
      <a href={stop.link} title={stop.note}>
        <Dot light={stop.light} current={stop.current} title={`${stop.name}: ${stop.light}${stop.note ? `, ${stop.note}` : ""}`} />
        <span class="name">{stop.name}</span>
        {stop.request && <span>{stop.request.name.replace(/^.*(?=#)/, "")}</span>}
      </a>
      {stop.promotion && <Act label="Approve" run={() => approve(stop.promotion!)} />}
    </li>
  );
}

function RailOf({ rail }: { rail: Rail }) {
  return (
    <div class="rail">
      <a class="service" href={`#/run/${rail.run}`}>
        {rail.service}
        {rail.reused && <span class="quiet" title="the same commit was tested before it was merged"> reused</span>}
      </a>
      <ol>
        {rail.stops.map((stop) => (
          <StopOf stop={stop} key={stop.key} />
        ))}
      </ol>
    </div>
  );
}

function RowOf({ row, now }: { row: Row; now: number }) {
  return (
    <article class="change">
      <div class="head">
        <code>{row.commit}</code>
        <strong>{row.subject}</strong>
        <span class="quiet">
          {row.author} · {row.repository} {row.pull ? <a href={`#/pr/${row.repository}/${row.pull}`}>{row.where}</a> : row.where} · {age(row.at, now)}
        </span>
      </div>
      {row.message && <p class="problem">{row.message}</p>}
      {row.rails.map((rail) => (
        <RailOf rail={rail} key={rail.run} />
      ))}
      {row.rails.length === 0 && <p class="quiet norun">no workflow is for this change</p>}
    </article>
  );
}

function Notices({ items, now }: { items: Obj[]; now: number }) {
  if (items.length === 0) return null;
  return (
    <aside aria-label="what happened">
      <h2>What happened</h2>
      <ul class="notices">
        {items.slice(0, 12).map((notice) => (
          <li class={notice.spec.severity}>
            <span title={notice.spec.title}>{brief(notice.spec.title)}</span> <span class="quiet">{age(notice.metadata.creationTimestamp, now)}</span>
          </li>
        ))}
      </ul>
    </aside>
  );
}

export function PathView() {
  const { all: known, live: lists } = usePath();
  const pulls = useLive(pathOf.own("pullrequests"));
  const rollouts = useLive(pathOf.rollouts);
  const notices = useLive(pathOf.own("notices"));
  const now = useClock();
  const all = { ...known, pulls: pulls.items, rollouts: rollouts.items };
  const live = [...lists, pulls, notices];
  const rows = board(all);
  const running = rows.flatMap((row) => row.rails).filter((rail) => rail.light === "running").length;
  return (
    <>
      <Problem of={live} />
      <h1 class="unseen">The path</h1>
      {pathMaps(all).map((one) => (
        <PathMapOf of={one} now={now} key={one.pipeline} />
      ))}
      <div class="pathview">
        <section>
          <h2>
            Changes {running > 0 && <Chip light="running">{running} running</Chip>}
          </h2>
          {rows.slice(0, 40).map((row) => (
            <RowOf row={row} now={now} key={row.name} />
          ))}
          {rows.length === 0 && lists[0]!.state === "live" && (
            <Empty>
              Nothing was pushed so far. <code>git push {location.origin}/git/NAME.git HEAD:main</code>
            </Empty>
          )}
        </section>
        <Notices items={notices.items} now={now} />
      </div>
    </>
  );
}
