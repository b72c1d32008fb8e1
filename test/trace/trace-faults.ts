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
  // JSON has null for what is no number.
  const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
  for (const event of events) {
    const { ph, pid, tid, name, ts = Number.NaN, dur = Number.NaN, id = 0, cat } = event;
    const track = `${pid}/${tid}`;
    if (!Number.isInteger(pid) || !Number.isInteger(tid) || name === '') faults.push(`${name} has no track or name`);
    if (ph === 'M') {
      if (typeof event.args?.['name'] !== 'string') faults.push(`${name} names nothing`);
      named.add(name === 'process_name' ? `${pid}` : track);
      continue;
    }
    if (!named.has(`${pid}`)) faults.push(`${name} is of an unnamed process`);
    if (!isTime(ts)) faults.push(`${name} is at no time`);
    if (!(ts >= (lastTime.get(pid) ?? 0))) faults.push(`${name} is out of order`);
    lastTime.set(pid, ts);
    const slice = lastSlice.get(track);
    const isInside = slice !== undefined && ts <= slice.ts! + slice.dur! + 1e-9;
    if (ph === 'X') {
      if (!named.has(track)) faults.push(`${name} is on an unnamed track`);
      if (!isTime(dur)) faults.push(`${name} has no length`);
      if (slice !== undefined && slice.ts! + slice.dur! > ts + 1e-6) faults.push(`${name} overlaps ${slice.name}`);
      lastSlice.set(track, event);
    } else if (ph === 'C') {
      const values = Object.values(event.args ?? {});
      if (values.length === 0 || !values.every((value) => typeof value === 'number' && Number.isFinite(value)))
        faults.push(`${name} has values that are no numbers`);
    } else {
      if (!Number.isInteger(event.id)) faults.push(`${name} is a flow without an id`);
      if (!isInside) faults.push(`flow ${id} is beside all slices`);
      if (ph === 's') {
        if (starts.has(id)) faults.push(`flow ${id} starts twice`);
        starts.set(id, event);
        if (ended.has(id)) faults.push(`flow ${id} ends before it starts`);
      } else {
        const start = starts.get(id);
        if (start !== undefined && (start.name !== name || start.cat !== cat))
          faults.push(`flow ${id} changes its name on the way`);
        if (ended.has(id)) faults.push(`flow ${id} ends twice`);
        ended.add(id);
      }
    }
  }
  for (const id of ended) if (!starts.has(id)) faults.push(`flow ${id} has no start`);
  for (const id of starts.keys()) if (!ended.has(id)) faults.push(`flow ${id} has no end`);
  return faults;
}
