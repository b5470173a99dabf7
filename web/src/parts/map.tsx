import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { approve } from "../asks";
import { origin, type Lane, type PathMap, type Place, type Station, type Token } from "../model/map";
import { age } from "../model/text";
import { Act, Dot } from "./parts";

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Tokens that are at another place than before travel there. */
function useMoves(box: RefObject<HTMLElement>) {
  const before = useRef<Place[] | null>(null);
  useLayoutEffect(() => {
    const places = [...box.current!.querySelectorAll<HTMLElement>("[data-token]")].map((element): Place & { element: HTMLElement } => ({
      element,
      key: element.dataset.token!,
      lane: element.dataset.lane!,
      commit: element.dataset.commit!,
      station: Number(element.dataset.station),
      x: element.offsetLeft,
      y: element.offsetTop,
    }));
    const was = before.current;
    before.current = places.map(({ element: _, ...place }) => place);
    if (!was || calm()) return;
    for (const place of places) {
      const from = origin(was, place);
      if (from && (Math.abs(from.x - place.x) > 2 || Math.abs(from.y - place.y) > 2))
        place.element.animate([{ transform: `translate(${from.x - place.x}px, ${from.y - place.y}px)` }, { transform: "none" }], { duration: 800, easing: "cubic-bezier(0.4, 0, 0.2, 1)" });
      else if (!from) place.element.animate([{ opacity: 0, transform: "scale(0.8)" }, { opacity: 1, transform: "none" }], { duration: 300 });
    }
  });
}

function TokenOf({ token, lane, now }: { token: Token; lane: string; now: number }) {
  const said = `${token.label} ${token.where} ${token.subject}: ${token.light}${token.note ? `, ${token.note}` : ""}`;
  return (
    <li class={`token ${token.light}${token.resting ? " resting" : ""}`} data-token={token.key} data-lane={lane} data-commit={token.commit} data-station={token.station}>
      <a href={token.link} title={said} aria-label={said}>
        <Dot light={token.light} hidden /> <code>{token.label}</code> <span class="quiet">{token.where || (token.resting ? age(token.at, now) : "")}</span>
        <span class="subject">{token.subject}</span>
        {token.light === "waiting" && !token.promotion && token.note && <span class="why">{token.note}</span>}
        {token.jobs.length > 1 && (
          <span class="minis">
            {token.jobs.slice(0, 12).map((job) => (
              <span class={`mini ${job.light}`} title={`${job.name}: ${job.light}`} />
            ))}
          </span>
        )}
        {token.weight !== undefined && (
          <span class="share">
            <progress max={100} value={token.weight} aria-label="traffic" /> {token.weight} %
          </span>
        )}
      </a>
      {token.promotion && <Act label="Approve" run={() => approve(token.promotion)} />}
    </li>
  );
}

function LaneOf({ lane, stations, now }: { lane: Lane; stations: Station[]; now: number }) {
  return (
    <section class="lane" aria-label={lane.service}>
      <h3>{lane.service}</h3>
      {stations.map((station, i) => {
        const here = lane.tokens.filter((token) => token.station === i);
        return (
          <div class={`station ${station.kind}${here.length === 0 ? " free" : ""}`} key={station.key}>
            <span class="name" title={station.name}>{station.name}</span>
            <ul aria-label={`${lane.service} at ${station.name}`}>
              {here.map((token) => (
                <TokenOf token={token} lane={lane.service} now={now} key={token.key} />
              ))}
            </ul>
          </div>
        );
      })}
    </section>
  );
}

/** The picture: every commit where it is now. */
export function PathMapOf({ of, now }: { of: PathMap; now: number }) {
  const box = useRef<HTMLDivElement>(null);
  useMoves(box);
  return (
    <div class="mapbox">
      <div class="map" ref={box} style={{ "--stations": of.stations.length }}>
        <div class="lane heads" aria-hidden="true">
          <span class="corner">{of.pipeline}</span>
          {of.stations.map((station) => (
            <span class={`head ${station.kind}`} title={station.name} key={station.key}>
              {station.name}
            </span>
          ))}
        </div>
        {of.lanes.map((lane) => (
          <LaneOf lane={lane} stations={of.stations} now={now} key={lane.service} />
        ))}
      </div>
    </div>
  );
}
