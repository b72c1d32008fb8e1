import type { Paths } from './paths.js';
import type { Flow, LinkShares } from './types.js';

/** Those links that carry anything, and how much, side by side. */
export class UsedLinks implements LinkShares {
  readonly #links: Int32Array;
  readonly #shares: Float64Array;

  constructor(flows: readonly Flow[], { starts, links }: Paths, linkCount: number) {
    const total = new Float64Array(linkCount);
    for (let flow = 0; flow < flows.length; flow++) {
      const { share } = flows[flow]!;
      for (let hop = starts[flow]!; hop < starts[flow + 1]!; hop++) total[links[hop]!]! += share;
    }
    const used: number[] = [];
    for (let link = 0; link < linkCount; link++) if (total[link] !== 0) used.push(link);
    this.#links = Int32Array.from(used);
    this.#shares = Float64Array.from(used, (link) => total[link]!);
  }

  *[Symbol.iterator](): Generator<readonly [number, number]> {
    for (const [index, link] of this.#links.entries()) yield [link, this.#shares[index]!];
  }

  addTo(carried: Float64Array, bytes: number): void {
    for (let index = 0; index < this.#links.length; index++)
      carried[this.#links[index]!]! += this.#shares[index]! * bytes;
  }
}
