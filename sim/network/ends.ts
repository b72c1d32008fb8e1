/** A pattern by its ends: which flows each chip sends and receives, and the links of each, in compressed sparse rows. */
import type { Flow, PatternEnds } from './types.js';

/** Flows in rows by their `key`, in their own order within each. */
function rows(flows: readonly Flow[], chips: number, key: 'from' | 'to'): [Int32Array, Int32Array] {
  const starts = new Int32Array(chips + 1);
  for (const flow of flows) starts[flow[key] + 1]!++;
  for (let chip = 0; chip < chips; chip++) starts[chip + 1]! += starts[chip]!;
  const next = starts.slice();
  const entries = new Int32Array(flows.length);
  flows.forEach((flow, index) => {
    const chip = flow[key];
    entries[next[chip]!++] = index;
  });
  return [starts, entries];
}

/** @param chips at least one more than the highest chip among the flows' ends */
export function patternEnds(flows: readonly Flow[], paths: readonly (readonly number[])[], chips: number): PatternEnds {
  const [sendStarts, sends] = rows(flows, chips, 'from');
  const [receiveStarts, receives] = rows(flows, chips, 'to');
  const pathStarts = new Int32Array(flows.length + 1);
  paths.forEach((path, flow) => (pathStarts[flow + 1] = pathStarts[flow]! + path.length));
  const path = new Int32Array(pathStarts[flows.length]!);
  paths.forEach((links, flow) => path.set(links, pathStarts[flow]!));
  return { sendStarts, sends, receiveStarts, receives, pathStarts, path };
}
