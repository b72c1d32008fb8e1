/**
 * Flows that share links: each link's capacity is shared max-min fairly (Bertsekas and Gallager, Data Networks, §6.5):
 * no flow can get more without taking from one that has no more. Computed by filling: the tightest link is shared out,
 * its flows are fixed, and so on.
 */

/** Links whose fair shares differ by less are shared out together. */
const EQUAL = 1e-9;

/** The flows on each link that any uses: those of `links[i]` are `flows[starts[i]]` up to `flows[starts[i + 1]]`. */
function index(paths: readonly (readonly number[])[], linkCount: number) {
  const counts = new Int32Array(linkCount);
  for (const path of paths) for (const link of path) counts[link]!++;
  const links: number[] = [];
  const starts: number[] = [0];
  const next = new Int32Array(linkCount);
  counts.forEach((count, link) => {
    if (count === 0) return;
    links.push(link);
    next[link] = starts.at(-1)!;
    starts.push(next[link]! + count);
  });
  const flows = new Int32Array(starts.at(-1)!);
  paths.forEach((path, flow) => {
    for (const link of path) flows[next[link]!++] = flow;
  });
  return { links, starts, flows, counts };
}

/**
 * @param paths the links of each flow, none twice; a flow without links has an infinite rate
 * @param capacities of each link, bytes per second
 * @returns the rate of each flow, bytes per second
 */
export function maxMinRates(paths: readonly (readonly number[])[], capacities: readonly number[]): Float64Array {
  const { links, starts, flows, counts: open } = index(paths, capacities.length);
  const rates = new Float64Array(paths.length);
  paths.forEach((path, flow) => path.length === 0 && (rates[flow] = Infinity));
  const left = Float64Array.from(capacities);
  for (;;) {
    let tightest = Infinity;
    for (const link of links) if (open[link]! > 0) tightest = Math.min(tightest, left[link]! / open[link]!);
    if (tightest === Infinity) return rates;
    const full: number[] = [];
    links.forEach((link, at) => {
      if (open[link]! > 0 && left[link]! / open[link]! <= tightest * (1 + EQUAL)) full.push(at);
    });
    for (const at of full) {
      for (let entry = starts[at]!; entry < starts[at + 1]!; entry++) {
        const flow = flows[entry]!;
        if (rates[flow] !== 0) continue;
        rates[flow] = tightest;
        for (const link of paths[flow]!) {
          left[link] = Math.max(0, left[link]! - tightest);
          open[link]!--;
        }
      }
    }
  }
}
