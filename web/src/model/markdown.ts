// The little Markdown that comments of pull requests hold, as data: what makes nodes of it can make nothing else.

export type Block =
  | { kind: "heading"; level: number; text: string }
  | { kind: "table"; head: string[]; rows: string[][] }
  | { kind: "code"; language: string; lines: string[] }
  | { kind: "list"; items: string[] }
  | { kind: "text"; text: string };

function cells(line: string): string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replace(/\\(.)/g, "$1"));
}

export function markdown(source: string): Block[] {
  const blocks: Block[] = [];
  const lines = source.split("\n");
  for (let i = 0; i < lines.length; ++i) {
    const line = lines[i]!;
    const heading = /^(#{1,6}) +(.*)$/.exec(line);
    if (line.startsWith("```")) {
      const code: string[] = [];
      while (++i < lines.length && !lines[i]!.startsWith("```")) code.push(lines[i]!);
      blocks.push({ kind: "code", language: line.slice(3).trim(), lines: code });
    } else if (heading) {
      blocks.push({ kind: "heading", level: heading[1]!.length, text: heading[2]! });
    } else if (line.trim().startsWith("|") && /^[\s|:-]+$/.test(lines[i + 1] ?? "")) {
      const rows: string[][] = [];
      const head = cells(line);
      for (i += 2; i < lines.length && lines[i]!.trim().startsWith("|"); ++i) rows.push(cells(lines[i]!));
      --i;
      blocks.push({ kind: "table", head, rows });
    } else if (/^[-*] /.test(line)) {
      const items: string[] = [];
      for (; i < lines.length && /^[-*] /.test(lines[i]!); ++i) items.push(lines[i]!.slice(2));
      --i;
      blocks.push({ kind: "list", items });
    } else if (line.trim() !== "") {
      blocks.push({ kind: "text", text: line.replace(/\\(.)/g, "$1") });
    }
  }
  return blocks;
}

/** The blocks but for the tables of the sections whose heading begins so, and the heading itself. */
export function sections(blocks: Block[], without?: string): Block[] {
  if (!without) return blocks;
  let inside = false;
  return blocks.filter((block) => {
    if (block.kind === "heading") inside = block.text.startsWith(without);
    return !inside || (block.kind !== "heading" && block.kind !== "table");
  });
}
