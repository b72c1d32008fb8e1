/**
 * Shortest ways over the links that are alive: of least latency, then of fewest links, so that data leave a torus or a
 * node only where there is no way inside (Dijkstra 1959). Of ways that are as short, always the same one is taken.
 */
import type { Link } from './types.js';

/** The links that leave each vertex: those of `vertex` are `links[starts[vertex]]` up to `links[starts[vertex + 1]]`. */
function leaving(links: readonly Link[], vertices: number, dead: ReadonlySet<number>) {
  const starts = new Int32Array(vertices + 1);
  links.forEach(({ from }, index) => {
    if (!dead.has(index)) starts[from + 1]!++;
  });
  for (let vertex = 0; vertex < vertices; vertex++) starts[vertex + 1]! += starts[vertex]!;
  const next = starts.slice();
  const out = new Int32Array(starts[vertices]!);
  links.forEach(({ from }, index) => {
    if (!dead.has(index)) out[next[from]!++] = index;
  });
  return { starts, out };
}

interface Reached {
  readonly vertex: number;
  readonly latency: number;
  readonly hops: number;
}

const compare = (a: Reached, b: Reached): number => a.latency - b.latency || a.hops - b.hops || a.vertex - b.vertex;

/** A binary heap, the nearest first. */
class Nearest {
  readonly #heap: Reached[] = [];

  get size(): number {
    return this.#heap.length;
  }

  push(one: Reached): void {
    const heap = this.#heap;
    let at = heap.push(one) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (compare(heap[parent]!, one) <= 0) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = one;
  }

  pop(): Reached {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && compare(heap[child + 1]!, heap[child]!) < 0) child++;
        if (compare(last, heap[child]!) <= 0) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = last;
    }
    return first!;
  }
}

/** @returns the links of the way from one vertex to another, nothing where there is none */
export function shortestWays(
  links: readonly Link[],
  vertices: number,
  dead: ReadonlySet<number>,
): (from: number, to: number) => readonly number[] | undefined {
  let graph: ReturnType<typeof leaving> | undefined;
  const known = new Map<number, readonly number[] | undefined>();
  const find = (from: number, to: number): readonly number[] | undefined => {
    const { starts, out } = (graph ??= leaving(links, vertices, dead));
    const best = new Map<number, Reached>([[from, { vertex: from, latency: 0, hops: 0 }]]);
    const arrivedBy = new Map<number, number>();
    const open = new Nearest();
    open.push(best.get(from)!);
    while (open.size > 0) {
      const here = open.pop();
      if (best.get(here.vertex) !== here) continue;
      if (here.vertex === to) break;
      for (let entry = starts[here.vertex]!; entry < starts[here.vertex + 1]!; entry++) {
        const index = out[entry]!;
        const link = links[index]!;
        const there = { vertex: link.to, latency: here.latency + link.latency, hops: here.hops + 1 };
        const before = best.get(link.to);
        if (before !== undefined && compare(before, there) <= 0) continue;
        best.set(link.to, there);
        arrivedBy.set(link.to, index);
        open.push(there);
      }
    }
    if (!best.has(to)) return undefined;
    const way: number[] = [];
    for (let vertex = to; vertex !== from; vertex = links[way.at(-1)!]!.from) way.push(arrivedBy.get(vertex)!);
    return way.reverse();
  };
  return (from, to) => {
    const key = from * vertices + to;
    if (!known.has(key)) known.set(key, find(from, to));
    return known.get(key);
  };
}
