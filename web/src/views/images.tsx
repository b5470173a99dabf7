import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useClock } from "../hooks";
import { get, request } from "../kube";
import { counts, imagesOf, kindOf, layersOf, platformOf, rankOf, readable, worstFirst, type Config, type Descriptor, type Finding, type Manifest } from "../model/images";
import { age, bytes, count, short } from "../model/text";
import { Empty } from "../parts/parts";

const enc = encodeURIComponent;
const linkOf = (...words: string[]) => ["#/images", ...words.map(enc)].join("/");

interface Answer<T> {
  value: T | null;
  problem: string;
}
/** What is asked for once for each key; "" asks for nothing. */
function useAnswer<T>(key: string, ask: () => Promise<T>): Answer<T> {
  const [answer, set] = useState<Answer<T>>({ value: null, problem: "" });
  useEffect(() => {
    let here = true;
    set({ value: null, problem: "" });
    if (key)
      ask()
        .then((value) => here && set({ value, problem: "" }))
        .catch((error: Error) => here && set({ value: null, problem: error.message }));
    return () => void (here = false);
  }, [key]);
  return answer;
}

/** All pages of a list. */
async function pages<T>(path: string, take: (page: T) => string[]): Promise<string[]> {
  const all: string[] = [];
  for (let next = path; next; ) {
    const answer = await request(next);
    all.push(...take((await answer.json()) as T));
    next = /^<(\/[^>]*)>; rel="next"/.exec(answer.headers.get("Link") ?? "")?.[1] ?? "";
  }
  return all;
}

interface Found {
  digest: string;
  manifest: Manifest;
}
async function manifestOf(repository: string, reference: string): Promise<Found> {
  const answer = await request(`/v2/${repository}/manifests/${reference}`);
  const manifest = (await answer.json()) as Manifest;
  manifest.mediaType ??= answer.headers.get("Content-Type") ?? "";
  return { digest: answer.headers.get("Docker-Content-Digest") ?? reference, manifest };
}

function Crumbs({ words }: { words: string[] }) {
  return (
    <h1>
      <a href="#/images">Images</a>
      {words.map((word, n) => (
        <>
          {" / "}
          {n + 1 < words.length ? <a href={linkOf(...words.slice(0, n + 1))}>{word}</a> : word}
        </>
      ))}
    </h1>
  );
}
function Filter({ what, value, set }: { what: string; value: string; set: (text: string) => void }) {
  return (
    <div class="filter">
      <input aria-label={`filter ${what}`} placeholder="filter" value={value} onInput={(event) => set(event.currentTarget.value)} />
    </div>
  );
}

function Repositories() {
  const list = useAnswer("catalog", () => pages<{ repositories: string[] }>("/v2/_catalog?n=1000", (page) => page.repositories));
  const [filter, setFilter] = useState("");
  if (list.problem) return <p class="problem">{list.problem}</p>;
  if (!list.value) return null;
  if (list.value.length === 0)
    return (
      <Empty>
        No image is here so far: <code>docker push {location.host}/NAME:TAG</code>, or a workflow that builds one.
      </Empty>
    );
  const shown = list.value.filter((name) => name.includes(filter));
  return (
    <>
      <Filter what="repositories" value={filter} set={setFilter} />
      <ul class="plainlist">
        {shown.slice(0, 1000).map((name) => (
          <li key={name}>
            <a href={linkOf(name)}>{name}</a>
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p class="quiet">None.</p>}
    </>
  );
}

/** Asked for when it is shown, not before: a repository may have thousands. */
function TagRow({ repository, tag }: { repository: string; tag: string }) {
  const found = useAnswer(`${repository}:${tag}`, () => manifestOf(repository, tag));
  const manifest = found.value?.manifest;
  const size = manifest?.layers?.reduce((sum, layer) => sum + layer.size, manifest.config?.size ?? 0);
  const platforms = manifest?.manifests ? imagesOf(manifest).map(platformOf).filter(Boolean) : [];
  return (
    <tr>
      <td>
        <a href={linkOf(repository, tag)}>{tag}</a>
      </td>
      <td>
        <code title={found.value?.digest}>{short(found.value?.digest)}</code>
        {found.problem && <span class="problem">{found.problem}</span>}
      </td>
      <td>{platforms.join(", ")}</td>
      <td class="number">{size === undefined ? "" : bytes(size)}</td>
    </tr>
  );
}
function Tags({ repository }: { repository: string }) {
  const list = useAnswer(repository, () => pages<{ tags: string[] }>(`/v2/${repository}/tags/list?n=1000`, (page) => page.tags));
  const [filter, setFilter] = useState("");
  const [most, setMost] = useState(50);
  if (list.problem) return <p class="problem">{list.problem}</p>;
  if (!list.value) return null;
  const shown = list.value.filter((tag) => tag.includes(filter)).reverse();
  return (
    <>
      <p class="quiet">
        {count(list.value.length, "tag")} · <code>docker pull {location.host}/{repository}:{shown[0] ?? "TAG"}</code>
      </p>
      <Filter what="tags" value={filter} set={setFilter} />
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>tag</th>
              <th>digest</th>
              <th>platforms</th>
              <th class="number">size</th>
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, most).map((tag) => (
              <TagRow repository={repository} tag={tag} key={tag} />
            ))}
          </tbody>
        </table>
      </div>
      {shown.length > most && (
        <p>
          <button class="plain" onClick={() => setMost(most + 200)}>
            {shown.length - most} more
          </button>
        </p>
      )}
    </>
  );
}

function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {rows
        .filter(([, value]) => value !== "" && value !== undefined && value !== null)
        .map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
    </dl>
  );
}
const many = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
const words = (list: string[] | undefined) => (list?.length ? <code>{list.map((word) => (/[\s"]/.test(word) ? JSON.stringify(word) : word)).join(" ")}</code> : "");

function Settings({ config, now }: { config: Config; now: number }) {
  const c = config.config ?? {};
  return (
    <>
      <Facts
        rows={[
          ["platform", [config.os, config.architecture].filter(Boolean).join("/")],
          ["made", config.created ? <span title={config.created}>{age(config.created, now)} ago</span> : ""],
          ["user", c.User],
          ["folder", c.WorkingDir],
          ["entrypoint", words(c.Entrypoint)],
          ["command", words(c.Cmd)],
          ["ports", Object.keys(c.ExposedPorts ?? {}).join(", ")],
        ]}
      />
      {(c.Env?.length ?? 0) > 0 && (
        <details>
          <summary>{many(c.Env!.length, "variable")}</summary>
          <pre class="code">{c.Env!.join("\n")}</pre>
        </details>
      )}
      {Object.keys(c.Labels ?? {}).length > 0 && (
        <details>
          <summary>{many(Object.keys(c.Labels!).length, "label")}</summary>
          <pre class="code">{Object.entries(c.Labels!).map(([key, value]) => `${key}=${value}`).join("\n")}</pre>
        </details>
      )}
    </>
  );
}

function Layers({ manifest, config }: { manifest: Manifest; config: Config | null }) {
  const layers = layersOf(manifest, config);
  const all = layers.reduce((sum, layer) => sum + layer.size, 0);
  return (
    <section>
      <h2>
        Layers <span class="quiet">{layers.length}, {bytes(all)}</span>
      </h2>
      <div class="scroll">
        <table class="layers">
          <tbody>
            {layers.map((layer, n) => (
              <tr key={n}>
                <td>
                  <code title={layer.digest}>{short(layer.digest)}</code>
                </td>
                <td class="number">{bytes(layer.size)}</td>
                <td class="weight" aria-hidden="true">
                  <span style={{ width: `${all ? Math.max(1, (100 * layer.size) / all) : 0}%` }} />
                </td>
                <td class="by">{layer.by ? <code title={layer.by}>{layer.by}</code> : <span class="quiet">{layer.mediaType}</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** What an artifact holds, when it is text of a size that can be read. */
function Contents({ repository, manifest }: { repository: string; manifest: Manifest }) {
  const layer = (manifest.layers ?? []).find((one) => /json|text|xml|yaml/.test(one.mediaType) && one.size > 2 && one.size < 1e6);
  const [open, setOpen] = useState(false);
  const text = useAnswer(open && layer ? layer.digest : "", async () => (await request(`/v2/${repository}/blobs/${layer!.digest}`)).text());
  if (!layer) return null;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>what it says</summary>
      {text.problem && <p class="problem">{text.problem}</p>}
      {text.value !== null && <pre class="code">{readable(text.value).slice(0, 100_000)}</pre>}
    </details>
  );
}

function Referrers({ repository, digest, all }: { repository: string; digest: string; all?: boolean }) {
  const list = useAnswer(`${repository}@${digest}`, () => get<{ manifests: Descriptor[] }>(`/v2/${repository}/referrers/${digest}`));
  if (list.problem) return <p class="problem">{list.problem}</p>;
  const referrers = list.value?.manifests ?? [];
  if (all && referrers.length === 0) return null;
  return (
    <section>
      <h2>
        {all ? "Said about all platforms" : "Said about it"} <span class="quiet">signatures, SBOMs, attestations</span>
      </h2>
      {list.value && referrers.length === 0 && <p class="quiet">Nothing.</p>}
      {referrers.length > 0 && (
        <div class="scroll">
          <table>
            <tbody>
              {referrers.map((one) => (
                <tr key={one.digest}>
                  <td>
                    <a href={linkOf(repository, one.digest)}>{kindOf(one)}</a>
                  </td>
                  <td>{one.artifactType ?? one.mediaType}</td>
                  <td>
                    <code title={one.digest}>{short(one.digest)}</code>
                  </td>
                  <td class="quiet">{Object.entries(one.annotations ?? {}).map(([key, value]) => `${key.split(".").at(-1)}=${value}`).join(" ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Findings({ repository, digest }: { repository: string; digest: string }) {
  const report = useAnswer(`${repository}@${digest}`, () => get<{ packages: number; count: number; findings: Finding[] }>(`/findings/${repository}?reference=${enc(digest)}`));
  return (
    <section>
      <h2>
        Findings <span class="quiet">{report.value ? `${report.value.packages} packages${report.value.count ? `; ${counts(report.value.findings)}` : ""}` : ""}</span>
      </h2>
      {report.problem && <p class="problem">{report.problem}</p>}
      {!report.value && !report.problem && <p class="quiet">Looking at its files …</p>}
      {report.value?.count === 0 && <p class="quiet">None.</p>}
      {report.value && report.value.count > 0 && (
        <div class="scroll">
          <table>
            <tbody>
              {worstFirst(report.value.findings).map((one) => (
                <tr key={`${one.rule}${one.package ?? ""}${one.message}`}>
                  <td>
                    <span class={`chip ${rankOf(one.severity) < 2 ? "failed" : rankOf(one.severity) < 3 ? "waiting" : ""}`}>{one.severity}</span>
                  </td>
                  <td>{one.rule}</td>
                  <td>
                    {one.package && `${one.package} ${one.version ?? ""}`}
                    {one.fixedIn && <span class="quiet"> fixed in {one.fixedIn}</span>}
                  </td>
                  <td>{one.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {report.value && report.value.count > report.value.findings.length && <p class="quiet">and {report.value.count - report.value.findings.length} more: slipway scan {repository}@{digest}</p>}
    </section>
  );
}

function Image({ repository, digest, manifest }: { repository: string; digest: string; manifest: Manifest }) {
  const now = useClock(60000);
  const isImage = /image\.config|container\.image/.test(manifest.config?.mediaType ?? "");
  const config = useAnswer(isImage ? `${repository}@${manifest.config!.digest}` : "", () => get<Config>(`/v2/${repository}/blobs/${manifest.config!.digest}`));
  return (
    <>
      <Facts
        rows={[
          ["digest", <code>{digest}</code>],
          ["type", manifest.artifactType || manifest.mediaType],
          ["about", manifest.subject ? <a href={linkOf(repository, manifest.subject.digest)}>{short(manifest.subject.digest)}</a> : ""],
        ]}
      />
      {config.problem && <p class="problem">{config.problem}</p>}
      {config.value && <Settings config={config.value} now={now} />}
      {Object.keys(manifest.annotations ?? {}).length > 0 && (
        <details>
          <summary>{many(Object.keys(manifest.annotations!).length, "annotation")}</summary>
          <pre class="code">{Object.entries(manifest.annotations!).map(([key, value]) => `${key}=${value}`).join("\n").slice(0, 20000)}</pre>
        </details>
      )}
      {!isImage && <Contents repository={repository} manifest={manifest} />}
      <Layers manifest={manifest} config={config.value} />
      <Referrers repository={repository} digest={digest} />
      {isImage && <Findings repository={repository} digest={digest} />}
    </>
  );
}

function Reference({ repository, reference, platform }: { repository: string; reference: string; platform: string }) {
  const top = useAnswer(`${repository} ${reference}`, () => manifestOf(repository, reference));
  const choices = top.value?.manifest.manifests ? imagesOf(top.value.manifest) : [];
  const chosen = choices.find((one) => one.digest === platform) ?? choices[0];
  const inner = useAnswer(chosen ? `${repository} ${chosen.digest}` : "", () => manifestOf(repository, chosen!.digest));
  if (top.problem) return <p class="problem">{top.problem}</p>;
  if (!top.value) return null;
  if (!top.value.manifest.manifests) return <Image repository={repository} {...top.value} key={top.value.digest} />;
  return (
    <>
      <Facts
        rows={[
          ["digest", <code>{top.value.digest}</code>],
          ["type", top.value.manifest.artifactType || top.value.manifest.mediaType],
        ]}
      />
      <nav class="platforms" aria-label="platforms">
        {choices.map((one) => (
          <a href={linkOf(repository, reference, one.digest)} aria-current={one === chosen ? "page" : undefined} key={one.digest}>
            {platformOf(one) || short(one.digest)}
          </a>
        ))}
      </nav>
      {inner.problem && <p class="problem">{inner.problem}</p>}
      {inner.value && <Image repository={repository} {...inner.value} key={inner.value.digest} />}
      <Referrers repository={repository} digest={top.value.digest} all />
    </>
  );
}

export function Images({ repository, reference, platform }: { repository: string; reference: string; platform: string }) {
  const shown = reference.startsWith("sha256:") || reference.startsWith("sha512:") ? short(reference) : reference;
  return (
    <>
      <Crumbs words={[repository, shown].filter(Boolean)} />
      {!repository && <Repositories />}
      {repository && !reference && <Tags repository={repository} key={repository} />}
      {repository && reference && <Reference repository={repository} reference={reference} platform={platform} key={`${repository} ${reference}`} />}
    </>
  );
}
