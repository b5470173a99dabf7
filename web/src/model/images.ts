// What manifests and configurations of the registry say, as people look at it.

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
  platform?: { os?: string; architecture?: string; variant?: string };
}
export interface Manifest {
  mediaType?: string;
  artifactType?: string;
  config?: Descriptor;
  layers?: Descriptor[];
  manifests?: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}
export interface Config {
  architecture?: string;
  os?: string;
  created?: string;
  config?: { User?: string; WorkingDir?: string; Entrypoint?: string[]; Cmd?: string[]; Env?: string[]; Labels?: Record<string, string>; ExposedPorts?: Record<string, object> };
  history?: { created_by?: string; empty_layer?: boolean; comment?: string }[];
}
export interface Finding {
  check: string;
  rule: string;
  severity: string;
  message: string;
  package?: string;
  version?: string;
  fixedIn?: string;
}

export function platformOf(descriptor: Descriptor): string {
  const { os = "", architecture = "", variant } = descriptor.platform ?? {};
  return [os, architecture, variant].filter(Boolean).join("/");
}
/** The images of an index; what is only said about them ("unknown/unknown") is none. */
export function imagesOf(index: Manifest): Descriptor[] {
  return (index.manifests ?? []).filter((one) => one.platform?.os !== "unknown");
}

export interface Layer extends Descriptor {
  by: string; // the instruction that made it
}
/** Layers with what made them: the steps of the history that are not empty, in order. */
export function layersOf(manifest: Manifest, config: Config | null): Layer[] {
  const steps = (config?.history ?? []).filter((step) => !step.empty_layer);
  const layers = manifest.layers ?? [];
  const fits = steps.length === layers.length;
  return layers.map((layer, n) => ({ ...layer, by: fits ? instruction(steps[n]!.created_by ?? "") : "" }));
}
/** As the Dockerfile had it: without the shell around it. */
export function instruction(text: string): string {
  return text
    .replace(/^\|\d+ (\S+=\S* )*/, "")
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, "")
    .replace(/^(RUN )?\/bin\/sh -c /, "RUN ")
    .replace(/ # buildkit$/, "");
}

const kinds: [RegExp, string][] = [
  [/cyclonedx|spdx/i, "SBOM"],
  [/sigstore\.bundle|cosign|notary\.signature|simplesigning/i, "signature"],
  [/in-toto|slsa|provenance/i, "attestation"],
];
/** What a referrer is, in a word. */
export function kindOf(referrer: Descriptor): string {
  const text = `${referrer.artifactType ?? ""} ${referrer.annotations?.["dev.sigstore.bundle.predicateType"] ?? ""}`;
  if (/slsa\.dev\/provenance/.test(text)) return "provenance";
  return kinds.find(([pattern]) => pattern.test(text))?.[1] ?? "artifact";
}

/** JSON in lines; other text as it is. */
export function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

const ranks = ["critical", "high", "medium", "low", "info"];
export const rankOf = (severity: string): number => (ranks.indexOf(severity.toLowerCase()) + ranks.length + 1) % (ranks.length + 1);
export function worstFirst(findings: Finding[]): Finding[] {
  return [...findings].sort((a, b) => rankOf(a.severity) - rankOf(b.severity) || a.rule.localeCompare(b.rule));
}
/** "2 critical, 5 high". */
export function counts(findings: Finding[]): string {
  return ranks
    .map((rank) => [findings.filter((one) => one.severity.toLowerCase() === rank).length, rank] as const)
    .filter(([count]) => count > 0)
    .map(([count, rank]) => `${count} ${rank}`)
    .join(", ");
}
