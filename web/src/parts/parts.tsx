import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Live } from "../hooks";
import type { Light } from "../model/path";
import { markdown, sections, type Block } from "../model/markdown";

const words: Record<Light, string> = { none: "not yet", pending: "pending", running: "running", waiting: "waiting", succeeded: "succeeded", failed: "failed", cancelled: "cancelled", skipped: "skipped" };
const signs: Record<Light, string> = { none: "", pending: "·", running: "", waiting: "‖", succeeded: "✓", failed: "✕", cancelled: "−", skipped: "»" };

export const healthLight: Record<string, Light> = { Healthy: "succeeded", Progressing: "running", Degraded: "failed", Missing: "failed", Suspended: "waiting", Paused: "waiting" };

/** State by colour, by sign and in words: no one of them alone. */
export function Dot({ light, current, title, hidden }: { light: Light; current?: boolean; title?: string; hidden?: boolean }) {
  const said = title ?? words[light];
  return (
    <span class={`dot ${light}${current ? " current" : ""}`} {...(hidden ? { "aria-hidden": true } : { role: "img", "aria-label": said, title: said })}>
      {signs[light]}
    </span>
  );
}
export function Chip({ light, children }: { light: Light; children?: ComponentChildren }) {
  return <span class={`chip ${light}`}>{children ?? words[light]}</span>;
}

export function Problem({ of }: { of: Live[] }) {
  const wrong = of.find((live) => live.state === "away" || live.state === "refused");
  if (!wrong) return null;
  return (
    <p class="problem" role="status">
      {wrong.state === "away" ? "Slipway does not answer; this is what was last known. " : "Slipway refuses: "}
      <span class="quiet">{wrong.problem}</span>
    </p>
  );
}

export function Act({ label, run, kind, confirm }: { label: string; run: () => Promise<void>; kind?: "danger" | "plain"; confirm?: string }) {
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  const press = async () => {
    if (confirm && !window.confirm(confirm)) return;
    setBusy(true);
    setWrong("");
    try {
      await run();
    } catch (error) {
      setWrong((error as Error).message);
    }
    setBusy(false);
  };
  return (
    <span class="act">
      <button class={kind ?? ""} disabled={busy} onClick={() => void press()}>
        {label}
      </button>
      {wrong && <span class="problem" role="alert">{wrong}</span>}
    </span>
  );
}

function Diff({ lines }: { lines: string[] }) {
  const head = lines.findIndex((line) => line.startsWith("@@")); // above it are the names of both sides
  return (
    <pre class="code">
      {lines.map((line, i) => (
        <span class={i <= head || line.startsWith("@@") ? "hunk" : line.startsWith("+") ? "plus" : line.startsWith("-") ? "minus" : ""}>{`${line}\n`}</span>
      ))}
    </pre>
  );
}

function BlockOf({ block }: { block: Block }) {
  switch (block.kind) {
    case "heading":
      return block.level <= 2 ? <h3>{block.text}</h3> : <h4>{block.text}</h4>;
    case "table":
      return (
        <div class="scroll">
          <table>
            <thead>
              <tr>{block.head.map((cell) => <th>{cell}</th>)}</tr>
            </thead>
            <tbody>
              {block.rows.map((row) => (
                <tr>{row.map((cell) => <td>{cell}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case "code":
      return block.language === "diff" ? <Diff lines={block.lines} /> : <pre class="code">{block.lines.join("\n")}</pre>;
    case "list":
      return <ul>{block.items.map((item) => <li>{item}</li>)}</ul>;
    case "text":
      return <p>{block.text}</p>;
  }
}
/** `without`: sections, by the beginning of their heading, that the page shows in its own way. */
export function Markdown({ text, without }: { text: string; without?: string }) {
  return <div class="markdown">{sections(markdown(text), without).map((block) => <BlockOf block={block} />)}</div>;
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
