/**
 * What is wrong with a trace by the Trace Event Format, as Perfetto reads it: fields that must be there, times that go up,
 * slices of one track that overlap, flows that lack an end or bind to no slice.
 */
import type { TraceEvent } from '../../src/trace/index.js';

export function traceFaults(events: readonly TraceEvent[]): string[] {
  const faults: string[] = [];
  const named = new Set<string>();
  const lastTime = new Map<number, number>();
  const lastSlice = new Map<string, TraceEvent>();
  const starts = new Map<number, TraceEvent>();
  const ended = new Set<number>();
  for (const event of events) {
    const { ph, pid, tid, name, ts = Number.NaN, dur = Number.NaN, id = 0 } = event;
    const track = `${pid}/${tid}`;
    if (!Number.isInteger(pid) || !Number.isInteger(tid) || name === '') faults.push(`${name} has no track or name`);
    if (ph === 'M') {
      named.add(name === 'process_name' ? `${pid}` : track);
      continue;
    }
    if (!named.has(`${pid}`)) faults.push(`${name} is of an unnamed process`);
    if (!(ts >= (lastTime.get(pid) ?? 0))) faults.push(`${name} is out of order`);
    lastTime.set(pid, ts);
    const slice = lastSlice.get(track);
    const isInside = slice !== undefined && ts <= slice.ts! + slice.dur! + 1e-9;
    if (ph === 'X') {
      if (!named.has(track)) faults.push(`${name} is on an unnamed track`);
      if (!(dur >= 0)) faults.push(`${name} has no length`);
      if (slice !== undefined && slice.ts! + slice.dur! > ts + 1e-6) faults.push(`${name} overlaps ${slice.name}`);
      lastSlice.set(track, event);
    } else if (ph === 'C') {
      const values = Object.values(event.args ?? {});
      if (values.length === 0 || !values.every((value) => typeof value === 'number' && Number.isFinite(value)))
        faults.push(`${name} has values that are no numbers`);
    } else {
      if (!isInside) faults.push(`flow ${id} is beside all slices`);
      if (ph === 's') {
        if (starts.has(id)) faults.push(`flow ${id} starts twice`);
        starts.set(id, event);
        if (ended.has(id)) faults.push(`flow ${id} ends before it starts`);
      } else ended.add(id);
    }
  }
  for (const id of ended) if (!starts.has(id)) faults.push(`flow ${id} has no start`);
  for (const id of starts.keys()) if (!ended.has(id)) faults.push(`flow ${id} has no end`);
  return faults;
}
