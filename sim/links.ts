/** What went over the links of a machine during a step. */
import type { Link, Machine } from './machine/index.js';

export interface LinkUse {
  readonly name: string;
  readonly bytes: number;
  /** Of what the link could carry during the step at its achievable rate. */
  readonly utilization: number;
}

export interface LinkSummary {
  readonly count: number;
  readonly totalBytes: number;
  readonly meanUtilization: number;
  /** Null where nothing is sent. */
  readonly busiest: LinkUse | null;
}

/** Links that are alike: a torus dimension one way, the ports into all nodes … */
export interface LinkClass extends LinkSummary {
  /** What their names have in common. */
  readonly name: string;
  /** In each tenth of utilization, from 0–10 % on: how many of them. */
  readonly histogram: readonly number[];
}

/** Its name is made when it is asked for, which of most links it isn't. */
class CarryingLink implements LinkUse {
  readonly bytes: number;
  readonly utilization: number;
  readonly #link: Link;

  constructor(link: Link, bytes: number, stepSeconds: number) {
    this.#link = link;
    this.bytes = bytes;
    this.utilization = stepSeconds === 0 ? 0 : bytes / (link.bytesPerSecond * stepSeconds);
  }

  get name(): string {
    return this.#link.name;
  }
}

/** All links, in the fabric's order. */
export const linkUses = ({ fabric }: Machine, linkBytes: Float64Array, stepSeconds: number): LinkUse[] =>
  fabric.links.map((link, index) => new CarryingLink(link, linkBytes[index]!, stepSeconds));

/** As a document has it. */
export const documentOf = ({ name, bytes, utilization }: LinkUse): LinkUse => ({ name, bytes, utilization });

export function summarizeLinks(uses: readonly LinkUse[]): LinkSummary {
  let busiest: LinkUse | null = null;
  let totalBytes = 0;
  let utilizations = 0;
  for (const use of uses) {
    totalBytes += use.bytes;
    utilizations += use.utilization;
    if (use.bytes > 0 && use.utilization > (busiest?.utilization ?? 0)) busiest = use;
  }
  return {
    count: uses.length,
    totalBytes,
    meanUtilization: uses.length === 0 ? 0 : utilizations / uses.length,
    busiest: busiest && documentOf(busiest),
  };
}

/** By what their names have in common: all but the numbers. */
export function linkClasses(uses: readonly LinkUse[]): LinkClass[] {
  const found = new Map<string, LinkUse[]>();
  for (const use of uses) {
    const name = use.name.replace(/\s*\d+/g, '').trim();
    const alike = found.get(name);
    if (alike) alike.push(use);
    else found.set(name, [use]);
  }
  return [...found].map(([name, alike]) => {
    const histogram = Array.from({ length: 10 }, () => 0);
    for (const { utilization } of alike) histogram[Math.min(9, Math.floor(utilization * 10))]!++;
    return { name, ...summarizeLinks(alike), histogram };
  });
}
