// How things are said.

export function age(from: string | undefined, now: number): string {
  const then = from ? Date.parse(from) : NaN;
  if (Number.isNaN(then)) return "";
  const seconds = Math.max(0, Math.floor((now - then) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
}
export function short(commit: string | undefined): string {
  return (commit ?? "").replace(/^sha256:/, "").slice(0, 12);
}
/** A commit's subject, the whole commits and digests in it cut short: a line that people read has no use for all of them. */
export function brief(subject: string | undefined): string {
  return (subject ?? "").replace(/\b([0-9a-f]{12})(?:[0-9a-f]{52}|[0-9a-f]{28})\b/g, "$1");
}
/** "1 object", "2 objects". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} kB`;
  if (count < 1e9) return `${(count / 1e6).toFixed(1)} MB`;
  return `${(count / 1e9).toFixed(2)} GB`;
}

export interface Piece {
  text: string;
  style: string; // space separated: bold red
}
const colours = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** A log line with its terminal colours as pieces; other escapes vanish. */
export function ansi(line: string): Piece[] {
  const pieces: Piece[] = [];
  let bold = false;
  let colour = "";
  // eslint-disable-next-line no-control-regex -- that is what they are
  for (const part of line.split(/(\x1b\[[0-9;?]*[A-Za-z])/)) {
    // eslint-disable-next-line no-control-regex
    const escape = /^\x1b\[([0-9;]*)m$/.exec(part);
    if (escape) {
      for (const code of (escape[1] || "0").split(";").map(Number)) {
        if (code === 0) (bold = false), (colour = "");
        else if (code === 1) bold = true;
        else if (code === 22) bold = false;
        else if (code === 39) colour = "";
        else if (code >= 30 && code <= 37) colour = colours[code - 30]!;
        else if (code >= 90 && code <= 97) colour = colours[code - 90]!;
      }
    } else if (part !== "" && !part.startsWith("\x1b[")) {
      pieces.push({ text: part, style: [bold ? "bold" : "", colour].filter(Boolean).join(" ") });
    }
  }
  return pieces;
}

export interface LogLine {
  time: string;
  stream: number; // 0 the runner's own words
  text: string;
}
export interface LogPart {
  name: string; // of the step; "": before the first
  millis?: number; // until the next one begins
  lines: LogLine[];
}
function logLine(line: string): LogLine & { at: number } {
  const found = /^(\S+T\S+Z) (\d) ?(.*)$/s.exec(line);
  return found ? { time: found[1]!.slice(11, 23), at: Date.parse(found[1]!), stream: Number(found[2]), text: found[3]! } : { time: "", at: NaN, stream: 1, text: line };
}

/** "2026-11-25T20:47:50.123Z 1 text" of a run's log: time, stream, text; in a part for each step that the runner names. */
export function logParts(lines: string[], timed: boolean): LogPart[] {
  const parts: LogPart[] = [];
  let from = NaN;
  for (const raw of lines) {
    const { at, ...line } = timed ? logLine(raw) : { time: "", at: NaN, stream: 1, text: raw };
    const last = parts.at(-1);
    const step = line.stream === 0 && line.text.startsWith("▸ ");
    if (step) {
      if (last?.name && at >= from) last.millis = at - from;
      parts.push({ name: line.text.slice(2), lines: [] });
      from = at;
    } else if (last) last.lines.push(line);
    else parts.push({ name: "", lines: [line] });
  }
  return parts;
}
