/** Links one after the other, and the vertices that they join; the chips are the first vertices. */
import type { BytesPerSecond, Seconds } from '../../src/units.js';
import { seconds } from '../../src/units.js';
import type { Fabric, Link } from './types.js';

export class FabricBuilder {
  readonly links: Link[] = [];
  #vertices: number;

  constructor(chips: number) {
    this.#vertices = chips;
  }

  /** Goes on from a fabric. */
  static from({ links, vertices }: Fabric): FabricBuilder {
    const builder = new FabricBuilder(vertices);
    for (const link of links) builder.links.push(link);
    return builder;
  }

  get vertices(): number {
    return this.#vertices;
  }

  /** A switch or a network card. */
  vertex(): number {
    return this.#vertices++;
  }

  /** @returns the link's index */
  link(name: string, from: number, to: number, bytesPerSecond: BytesPerSecond, latency: Seconds = seconds(0)): number {
    return this.add({ name, from, to, bytesPerSecond, latency });
  }

  add(link: Link): number {
    return this.links.push(link) - 1;
  }
}
