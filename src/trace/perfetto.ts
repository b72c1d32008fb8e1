/**
 * Traces in the Trace Event Format that Perfetto and chrome://tracing open: a process for each source, a thread for
 * each rank and kind of work, collectives by axis. Times in µs, as the format wants them.
 */
import { AXIS_NAMES } from '../mesh/index.js';
import type { Span } from './trace.js';

export interface TraceProcess {
  /** `measured`, `simulated`. */
  readonly name: string;
  readonly spans: readonly Span[];
}

interface TraceEvent {
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** What one thread shows does not overlap. */
const laneOf = ({ kind, axis }: Span): string => (axis === undefined ? `${kind}s` : `${kind}s over ${axis}`);
const LANES = ['kernels', 'collectives', ...AXIS_NAMES.map((axis) => `collectives over ${axis}`), 'hosts'];
const microseconds = (value: number): number => Math.round(value * 1e9) / 1e3;

export function traceEvents(processes: readonly TraceProcess[]): { traceEvents: TraceEvent[]; displayTimeUnit: 'ms' } {
  const events: TraceEvent[] = [];
  processes.forEach(({ name, spans }, index) => {
    const pid = index + 1;
    events.push({ ph: 'M', pid, tid: 0, name: 'process_name', args: { name } });
    const threads = new Set<number>();
    for (const span of spans) {
      const lane = laneOf(span);
      const tid = span.rank * LANES.length + LANES.indexOf(lane) + 1;
      if (!threads.has(tid)) {
        threads.add(tid);
        events.push({ ph: 'M', pid, tid, name: 'thread_name', args: { name: `rank ${span.rank} ${lane}` } });
      }
      events.push({
        ph: 'X',
        pid,
        tid,
        name: span.id,
        cat: `${span.kind},${span.phase}`,
        ts: microseconds(span.start),
        dur: microseconds(span.end - span.start),
        args: { op: span.name, ...(span.sentBytes === undefined ? {} : { sentBytes: span.sentBytes }) },
      });
    }
  });
  return { traceEvents: events, displayTimeUnit: 'ms' };
}
