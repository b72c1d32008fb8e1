/**
 * Flows that share links: each link's capacity is shared max-min fairly (Bertsekas and Gallager, Data Networks, §6.5):
 * no flow can get more without taking from one that has no more. Computed by filling: the tightest link is shared out,
 * its flows are fixed, and so on.
 */
import type { Paths } from './paths.js';
import { pathCount } from './paths.js';

/** Links whose fair shares differ by less are shared out together. */
const EQUAL = 1e-9;

/**
 * Links that any flow uses, numbered anew: link i is `used[i]`, and its flows are `flows[starts[i]]` up to
 * `flows[starts[i + 1]]`. `path` are the flows' links by these numbers.
 */
function index({ starts: pathStarts, links }: Paths, linkCount: number) {
  const numbers = new Int32Array(linkCount);
  const used: number[] = [];
  const path = new Int32Array(links.length);
  for (let hop = 0; hop < links.length; hop++) {
    const link = links[hop]!;
    if (numbers[link] === 0) numbers[link] = used.push(link);
    path[hop] = numbers[link]! - 1;
  }
  const starts = new Int32Array(used.length + 1);
  for (const link of path) starts[link + 1]!++;
  for (let link = 0; link < used.length; link++) starts[link + 1]! += starts[link]!;
  const next = starts.slice();
  const flows = new Int32Array(path.length);
  for (let flow = 0; flow + 1 < pathStarts.length; flow++)
    for (let hop = pathStarts[flow]!; hop < pathStarts[flow + 1]!; hop++) flows[next[path[hop]!]!++] = flow;
  return { used, path, starts, flows };
}

/**
 * The rate of all flows, where each goes over one of the tightest links, as in all that is symmetric: one filling. Nothing
 * where some flow doesn't.
 */
function sameRate({ starts, links }: Paths, capacities: ArrayLike<number>): number | undefined {
  const counts = new Int32Array(capacities.length);
  for (let hop = 0; hop < links.length; hop++) counts[links[hop]!]!++;
  let tightest = Infinity;
  for (let link = 0; link < counts.length; link++)
    if (counts[link]! > 0) tightest = Math.min(tightest, capacities[link]! / counts[link]!);
  for (let flow = 0; flow + 1 < starts.length; flow++) {
    let hop = starts[flow]!;
    const end = starts[flow + 1]!;
    while (hop < end && capacities[links[hop]!]! / counts[links[hop]!]! > tightest * (1 + EQUAL)) hop++;
    if (hop === end) return undefined;
  }
  return tightest;
}

/**
 * @param paths the links of each flow, none twice; a flow without links has an infinite rate
 * @param capacities of each link, bytes per second
 * @returns the rate of each flow, bytes per second
 */
export function maxMinRates(paths: Paths, capacities: ArrayLike<number>): Float64Array {
  const same = sameRate(paths, capacities);
  if (same !== undefined) return new Float64Array(pathCount(paths)).fill(same);
  const { starts: pathStarts } = paths;
  const { used, path, starts, flows } = index(paths, capacities.length);
  const rates = new Float64Array(pathCount(paths));
  for (let flow = 0; flow < rates.length; flow++) if (pathStarts[flow] === pathStarts[flow + 1]) rates[flow] = Infinity;
  /** What each link has left, and for how many flows. */
  const left = Float64Array.from(used, (link) => capacities[link]!);
  const open = new Int32Array(used.length);
  for (let link = 0; link < open.length; link++) open[link] = starts[link + 1]! - starts[link]!;
  for (;;) {
    let tightest = Infinity;
    for (let link = 0; link < open.length; link++)
      if (open[link]! > 0) tightest = Math.min(tightest, left[link]! / open[link]!);
    if (tightest === Infinity) return rates;
    const full: number[] = [];
    for (let link = 0; link < open.length; link++)
      if (open[link]! > 0 && left[link]! / open[link]! <= tightest * (1 + EQUAL)) full.push(link);
    for (const link of full) {
      for (let entry = starts[link]!; entry < starts[link + 1]!; entry++) {
        const flow = flows[entry]!;
        if (rates[flow] !== 0) continue;
        rates[flow] = tightest;
        for (let hop = pathStarts[flow]!; hop < pathStarts[flow + 1]!; hop++) {
          const other = path[hop]!;
          left[other] = Math.max(0, left[other]! - tightest);
          open[other]!--;
        }
      }
    }
  }
}
