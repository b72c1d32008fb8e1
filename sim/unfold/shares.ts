/**
 * Which flows are on the links that are shared, and the max-min fair rates of those whose links changed hands: as
 * `maxMinRates` does it, but only for flows joined to a change by links they share.
 */
import type { FlowTables } from './flows.js';

const NONE = -1;
/** Links whose fair shares differ by less are shared out together. */
const EQUAL = 1e-9;

export class Shares {
  /** The flows of the component and their rates: the first `count`. */
  readonly flows: Int32Array;
  readonly rates: Float64Array;
  count = 0;
  readonly #tables: FlowTables;
  readonly #capacities: Float64Array;
  /** Flows on a link are a list of hops, places in `path`. */
  readonly #firstHop: Int32Array;
  readonly #nextHop: Int32Array;
  readonly #previousHop: Int32Array;
  readonly #flowOfHop: Int32Array;
  /** Links whose flows changed since the last `settle`; each is in it once. */
  readonly #changed: Int32Array;
  #changedCount = 0;
  readonly #isChanged: Uint8Array;
  /** Of the component that is worked on. */
  readonly #links: Int32Array;
  readonly #open: Int32Array;
  readonly #free: Float64Array;
  readonly #full: Int32Array;
  readonly #placeOf: Int32Array;
  readonly #seenLink: Uint32Array;
  readonly #seenFlow: Uint32Array;
  #search = 1;

  constructor(tables: FlowTables, capacities: Float64Array) {
    const links = capacities.length;
    this.#tables = tables;
    this.#capacities = capacities;
    this.flows = new Int32Array(tables.flows);
    this.rates = new Float64Array(tables.flows);
    this.#firstHop = new Int32Array(links).fill(NONE);
    this.#nextHop = new Int32Array(tables.path.length);
    this.#previousHop = new Int32Array(tables.path.length);
    this.#flowOfHop = new Int32Array(tables.path.length);
    for (let flow = 0; flow < tables.flows; flow++)
      this.#flowOfHop.fill(flow, tables.pathStart[flow]!, tables.pathStart[flow + 1]!);
    this.#changed = new Int32Array(links);
    this.#isChanged = new Uint8Array(links);
    this.#links = new Int32Array(links);
    this.#open = new Int32Array(links);
    this.#free = new Float64Array(links);
    this.#full = new Int32Array(links);
    this.#placeOf = new Int32Array(tables.flows);
    this.#seenLink = new Uint32Array(links);
    this.#seenFlow = new Uint32Array(tables.flows);
  }

  isEmpty(link: number): boolean {
    return this.#firstHop[link] === NONE;
  }

  join(flow: number): void {
    const { pathStart, path } = this.#tables;
    for (let hop = pathStart[flow]!; hop < pathStart[flow + 1]!; hop++) {
      const link = path[hop]!;
      const first = this.#firstHop[link]!;
      this.#nextHop[hop] = first;
      this.#previousHop[hop] = NONE;
      if (first !== NONE) this.#previousHop[first] = hop;
      this.#firstHop[link] = hop;
      this.#change(link);
    }
  }

  leave(flow: number): void {
    const { pathStart, path } = this.#tables;
    for (let hop = pathStart[flow]!; hop < pathStart[flow + 1]!; hop++) {
      const link = path[hop]!;
      const next = this.#nextHop[hop]!;
      const previous = this.#previousHop[hop]!;
      if (previous === NONE) this.#firstHop[link] = next;
      else this.#nextHop[previous] = next;
      if (next !== NONE) this.#previousHop[next] = previous;
      this.#change(link);
    }
  }

  /** Goes on to the next flows whose links changed hands, and works out their rates. @returns false when none is left */
  nextComponent(): boolean {
    while (this.#changedCount > 0) {
      const link = this.#changed[--this.#changedCount]!;
      this.#isChanged[link] = 0;
      if (this.#firstHop[link] === NONE || this.#seenLink[link] === this.#search) continue;
      this.#fill(this.#collect(link));
      return true;
    }
    this.#search++;
    return false;
  }

  /** All flows and links that a link's flows are joined to. @returns how many links */
  #collect(start: number): number {
    const { pathStart, path } = this.#tables;
    const search = this.#search;
    const links = this.#links;
    let linkCount = 1;
    links[0] = start;
    this.#seenLink[start] = search;
    this.count = 0;
    for (let index = 0; index < linkCount; index++) {
      const link = links[index]!;
      let open = 0;
      for (let hop = this.#firstHop[link]!; hop !== NONE; hop = this.#nextHop[hop]!) {
        open++;
        const flow = this.#flowOfHop[hop]!;
        if (this.#seenFlow[flow] === search) continue;
        this.#seenFlow[flow] = search;
        this.#placeOf[flow] = this.count;
        this.rates[this.count] = NONE;
        this.flows[this.count++] = flow;
        for (let along = pathStart[flow]!; along < pathStart[flow + 1]!; along++) {
          const other = path[along]!;
          if (this.#seenLink[other] === search) continue;
          this.#seenLink[other] = search;
          links[linkCount++] = other;
        }
      }
      this.#open[link] = open;
      this.#free[link] = this.#capacities[link]!;
    }
    return linkCount;
  }

  /** The tightest link is shared out, its flows are fixed, and so on. */
  #fill(linkCount: number): void {
    const { pathStart, path } = this.#tables;
    const [links, open, free, full] = [this.#links, this.#open, this.#free, this.#full];
    let left = linkCount;
    for (;;) {
      let tightest = Infinity;
      let kept = 0;
      for (let index = 0; index < left; index++) {
        const link = links[index]!;
        if (open[link] === 0) continue;
        links[kept++] = link;
        const share = free[link]! / open[link]!;
        if (share < tightest) tightest = share;
      }
      left = kept;
      if (left === 0) return;
      let fullCount = 0;
      for (let index = 0; index < left; index++)
        if (free[links[index]!]! / open[links[index]!]! <= tightest * (1 + EQUAL)) full[fullCount++] = links[index]!;
      for (let index = 0; index < fullCount; index++) {
        for (let hop = this.#firstHop[full[index]!]!; hop !== NONE; hop = this.#nextHop[hop]!) {
          const flow = this.#flowOfHop[hop]!;
          if (this.rates[this.#placeOf[flow]!] !== NONE) continue;
          this.rates[this.#placeOf[flow]!] = tightest;
          for (let along = pathStart[flow]!; along < pathStart[flow + 1]!; along++) {
            free[path[along]!] = Math.max(0, free[path[along]!]! - tightest);
            open[path[along]!]!--;
          }
        }
      }
    }
  }

  #change(link: number): void {
    if (this.#isChanged[link] === 1) return;
    this.#isChanged[link] = 1;
    this.#changed[this.#changedCount++] = link;
  }
}
