/**
 * A pattern of all groups of a machine, worked out when it is asked for: what it surely takes is found from one group's
 * flows, so that an algorithm that can't win is not worked out.
 */
import type { Fabric } from '../machine/index.js';
import { boundsOf } from './least.js';
import { chipSharesOf } from './chip-shares.js';
import type { PatternFound } from './pattern.js';
import { createPattern } from './pattern.js';
import type { LinkNumbers } from './link-numbers.js';
import { linkNumbers } from './link-numbers.js';
import type { Paths } from './paths.js';
import { pathsFrom } from './paths.js';
import type { Bound, ChipShares, Flow, LinkShares, Pattern, SlowestFlow } from './types.js';

type Groups = readonly (readonly number[])[];

export interface PatternSource {
  readonly groups: Groups;
  /** The flows of some groups. */
  flowsOf(groups: Groups): readonly Flow[];
  /** What it surely takes is found from these of its flows, unless from those of one group. */
  someFlows?(): readonly Flow[];
  /** What it surely takes, where that is known otherwise. */
  bounds?(): readonly Bound[];
}

export class MachinePattern implements Pattern {
  readonly #fabric: Fabric;
  readonly #chips: number;
  readonly #source: PatternSource;
  #bounds: readonly Bound[] | undefined;
  #chipShares: ChipShares | undefined;
  #whole: PatternFound | undefined;

  constructor(fabric: Fabric, chips: number, source: PatternSource) {
    this.#fabric = fabric;
    this.#chips = chips;
    this.#source = source;
  }

  get #found(): PatternFound {
    if (this.#whole === undefined) {
      const flows = this.#source.flowsOf(this.#source.groups);
      this.#whole = createPattern(this.#links, this.#chips, flows, this.#pathsOf(flows));
    }
    return this.#whole;
  }

  get #links(): LinkNumbers {
    return linkNumbers(this.#fabric);
  }

  #pathsOf(flows: readonly Flow[]): Paths {
    const fabric = this.#fabric;
    return pathsFrom(flows, ({ from, to, half, host }) => {
      if (host !== undefined) return fabric.hostRoute!(from, host);
      const way = fabric.route(from, to);
      if (half === undefined) return way;
      const middle = Math.ceil(way.length / 2);
      return half === 'up' ? way.slice(0, middle) : way.slice(middle);
    });
  }

  get bounds(): readonly Bound[] {
    if (this.#bounds === undefined) {
      const source = this.#source;
      if (source.bounds !== undefined) this.#bounds = source.bounds();
      else {
        const flows = source.someFlows?.() ?? source.flowsOf(source.groups.slice(0, 1));
        this.#bounds = boundsOf(this.#links, flows, this.#pathsOf(flows));
      }
    }
    return this.#bounds;
  }

  get flows(): readonly Flow[] {
    return this.#found.flows;
  }

  get paths(): Paths {
    return this.#found.paths;
  }

  get kinds(): readonly SlowestFlow[] {
    return this.#found.kinds;
  }

  get kindOf(): Int32Array {
    return this.#found.kindOf;
  }

  get together(): boolean {
    return this.#found.together;
  }

  slowest(bytes: number): SlowestFlow {
    return this.#found.slowest(bytes);
  }

  get bottleneck(): SlowestFlow {
    return this.#found.bottleneck;
  }

  get even(): boolean {
    return this.#found.even;
  }

  get linkShares(): LinkShares {
    return this.#found.linkShares;
  }

  get chipShares(): ChipShares {
    return (this.#chipShares ??= chipSharesOf(this.#fabric, this.#chips, this.flows, this.paths));
  }
}
