/** How much communication computing hides, read off the spans alone: what no kernel of the rank ran beside is exposed. */
import type { AxisName } from '../src/mesh/index.js';
import type { Span } from '../src/trace/index.js';
import type { Ticks } from './engine/index.js';
import { ticks, toTicks } from './engine/index.js';
import type { CollectiveSpan } from './executor.js';

export interface Exposure {
  /** Adds up over the axes: where two collectives run at once, the time counts for the one that began first. */
  readonly exposedByAxis: Readonly<Partial<Record<AxisName, Ticks>>>;
  readonly exposed: Ticks;
  readonly hidden: Ticks;
}

/** Where kernels or the host were busy: pairs of start and end in ticks, in order, joined where they touch. */
function busyTimes(spans: readonly Span[]): number[] {
  const working = spans.filter(({ kind }) => kind !== 'collective');
  const inOrder = working.every(({ start }, index) => index === 0 || start >= working[index - 1]!.start);
  if (!inOrder) working.sort((a, b) => a.start - b.start);
  const times: number[] = [];
  for (const span of working) {
    const [start, end] = [toTicks(span.start), toTicks(span.end)];
    if (times.length > 0 && start <= times.at(-1)!) times[times.length - 1] = Math.max(times.at(-1)!, end);
    else times.push(start, end);
  }
  return times;
}

export function exposure(spans: readonly Span[], collectives: readonly CollectiveSpan[]): Exposure {
  const busy = busyTimes(spans);
  const byAxis: Partial<Record<AxisName, number>> = {};
  let exposed = 0;
  let hidden = 0;
  let counted = 0;
  let first = 0;
  for (const { span, axis } of collectives.toSorted((a, b) => a.span.start - b.span.start)) {
    const from = Math.max(toTicks(span.start), counted);
    const end = toTicks(span.end);
    if (end <= from) continue;
    counted = end;
    while (first < busy.length && busy[first + 1]! <= from) first += 2;
    let overlap = 0;
    for (let index = first; index < busy.length && busy[index]! < end; index += 2) {
      overlap += Math.min(end, busy[index + 1]!) - Math.max(from, busy[index]!);
    }
    hidden += overlap;
    exposed += end - from - overlap;
    byAxis[axis] = (byAxis[axis] ?? 0) + end - from - overlap;
  }
  const axes = Object.entries(byAxis).map(([axis, time]) => [axis, ticks(time)] as const);
  return {
    exposedByAxis: Object.fromEntries(axes) as Partial<Record<AxisName, Ticks>>,
    exposed: ticks(exposed),
    hidden: ticks(hidden),
  };
}
