/** Patterns whose flows are under way at the same time: which of them have links in common, and what each then gets. */
import type { Fabric } from './machine/index.js';
import type { Pattern } from './network/index.js';
import { maxMinRates } from './network/index.js';

export interface SharedRates {
  /** By pattern: its rate over the one it has alone. */
  readonly fractions: readonly number[];
  /** Whether all flows of each pattern end at the same time. */
  readonly even: boolean;
}

const EQUAL = 1e-9;

function shareLinks({ linkShares: a }: Pattern, { linkShares: b }: Pattern): boolean {
  for (const link of a.keys()) if (b.has(link)) return true;
  return false;
}

export class SharedLinks {
  readonly #fabric: Fabric;
  readonly #indices = new Map<Pattern, number>();
  /** Of each pattern: the rate of its slowest flow over that flow's share of the bytes, alone. */
  readonly #alone = new Map<Pattern, number>();
  readonly #meets: (boolean | undefined)[][] = [];
  readonly #rates = new Map<string, SharedRates>();

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
  }

  /** Whether two patterns have a link in common. */
  meet(a: Pattern, b: Pattern): boolean {
    const [first, second] = [this.#indexOf(a), this.#indexOf(b)];
    const row = (this.#meets[Math.min(first, second)] ??= []);
    return (row[Math.max(first, second)] ??= shareLinks(a, b));
  }

  /** Of patterns in any order: the same bits in each. */
  rates(patterns: readonly Pattern[]): SharedRates {
    const indices = patterns.map((pattern) => this.#indexOf(pattern));
    const order = patterns.map((_, position) => position).sort((a, b) => indices[a]! - indices[b]!);
    const key = order.map((position) => indices[position]).join();
    let sorted = this.#rates.get(key);
    if (sorted === undefined) {
      sorted = this.#share(order.map((position) => patterns[position]!));
      this.#rates.set(key, sorted);
    }
    const fractions = patterns.map(() => 1);
    order.forEach((position, place) => (fractions[position] = sorted.fractions[place]!));
    return { fractions, even: sorted.even };
  }

  #indexOf(pattern: Pattern): number {
    let index = this.#indices.get(pattern);
    if (index === undefined) this.#indices.set(pattern, (index = this.#indices.size));
    return index;
  }

  #aloneRate(pattern: Pattern): number {
    let rate = this.#alone.get(pattern);
    if (rate === undefined) this.#alone.set(pattern, (rate = this.#slowest([pattern]).rates[0]!));
    return rate;
  }

  #share(patterns: readonly Pattern[]): SharedRates {
    const { rates, even } = this.#slowest(patterns);
    const fractions = rates.map((rate, index) => {
      const alone = this.#aloneRate(patterns[index]!);
      return rate >= alone * (1 - EQUAL) ? 1 : rate / alone;
    });
    return { fractions, even };
  }

  #slowest(patterns: readonly Pattern[]): { rates: number[]; even: boolean } {
    const capacities = this.#fabric.links.map(({ bytesPerSecond }) => bytesPerSecond);
    const rates = maxMinRates(
      patterns.flatMap(({ paths }) => paths),
      capacities,
    );
    let even = true;
    let first = 0;
    const slowest = patterns.map(({ flows, paths }) => {
      let least = Infinity;
      let most = 0;
      flows.forEach(({ share }, index) => {
        if (paths[index]!.length === 0 || share === 0) return;
        const rate = rates[first + index]! / share;
        least = Math.min(least, rate);
        most = Math.max(most, rate);
      });
      first += flows.length;
      even &&= most <= least * (1 + EQUAL);
      return least;
    });
    return { rates: slowest, even };
  }
}
