import type { Fabric } from '../machine/index.js';
import type { Paths } from './paths.js';
import type { ChipShares, Flow } from './types.js';

/** What a chip sends and gets of flows on the average. */
export function chipSharesOf({ links }: Fabric, chips: number, flows: readonly Flow[], paths: Paths): ChipShares {
  let [sent, got] = [0, 0];
  flows.forEach(({ share }, flow) => {
    const [start, end] = [paths.starts[flow]!, paths.starts[flow + 1]!];
    if (start === end) return;
    // Those of a switch begin or end in it. Chips have the first numbers.
    if (links[paths.links[start]!]!.from < chips) sent += share;
    if (links[paths.links[end - 1]!]!.to < chips) got += share;
  });
  return { sent: sent / chips, got: got / chips };
}
