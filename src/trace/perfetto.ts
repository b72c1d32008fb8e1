/**
 * Traces in the Trace Event Format that Perfetto and chrome://tracing open: a process for each source, a track for each
 * rank and resource (its kernels, the links of each axis, the host), arrows between spans, and counters. Times in µs with
 * three decimals, in ascending order; slices of one track do not overlap.
 */
import { HOST_LANES, MESH_AXES } from '../mesh/index.js';
import type { Seconds } from '../units.js';
import type { Span } from './trace.js';

/** From the end of a span to the start of another, by their index. */
export interface Arrow {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** What amounts are from a time on; drawn on top of each other. */
export interface CounterSample {
  readonly counter: string;
  readonly time: Seconds;
  readonly values: Readonly<Record<string, number>>;
}

export interface TraceProcess {
  /** `measured`, `simulated`. */
  readonly name: string;
  readonly spans: readonly Span[];
  readonly arrows?: readonly Arrow[];
  readonly counters?: readonly CounterSample[];
}

/** Slices, metadata, counters, and the two ends of a flow. */
export interface TraceEvent {
  readonly ph: 'X' | 'M' | 'C' | 's' | 'f';
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly cat?: string;
  readonly id?: number;
  /** Of the end of a flow: it binds to the slice around it, not to the next one. */
  readonly bp?: 'e';
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** What one thread shows does not overlap. */
const laneOf = ({ kind, axis }: Span): string => {
  if (axis === undefined) return `${kind}s`;
  return (HOST_LANES as readonly string[]).includes(axis) ? axis : `${kind}s over ${axis}`;
};
const LANES = [
  'kernels',
  'collectives',
  ...MESH_AXES.map((axis) => `collectives over ${axis}`),
  ...HOST_LANES,
  'hosts',
  'slots',
];
const trackOf = (span: Span): string =>
  span.kind === 'slot' && span.slot !== undefined ? `stage ${span.slot.stage}` : `rank ${span.rank} ${laneOf(span)}`;
const nanoseconds = (value: Seconds): number => Math.round(value * 1e9);

/** The events of one process that have a time, and the names of its tracks. */
class ProcessEvents {
  readonly #process: TraceProcess;
  readonly #pid: number;
  readonly #firstId: number;

  constructor(process: TraceProcess, pid: number, firstId: number) {
    this.#process = process;
    this.#pid = pid;
    this.#firstId = firstId;
  }

  *metadata(): Generator<TraceEvent> {
    const { name, spans } = this.#process;
    const pid = this.#pid;
    yield { ph: 'M', pid, tid: 0, name: 'process_name', args: { name } };
    const threads = new Set<number>();
    for (const span of spans) {
      const tid = this.#tid(span);
      if (threads.has(tid)) continue;
      threads.add(tid);
      yield { ph: 'M', pid, tid, name: 'thread_name', args: { name: trackOf(span) } };
    }
  }

  /** Spans, then counters, then both ends of each arrow: at the same time in this order. */
  *timed(): Generator<TraceEvent> {
    const { spans, arrows = [], counters = [] } = this.#process;
    const times = new Float64Array(spans.length + counters.length + 2 * arrows.length);
    spans.forEach(({ start }, index) => (times[index] = nanoseconds(start)));
    counters.forEach(({ time }, index) => (times[spans.length + index] = nanoseconds(time)));
    const firstArrow = spans.length + counters.length;
    arrows.forEach(({ from, to }, index) => {
      const { start, end } = spans[from]!;
      // The last nanosecond of the span, so that it is the span which the arrow binds to.
      times[firstArrow + 2 * index] = Math.max(nanoseconds(start), nanoseconds(end) - 1);
      times[firstArrow + 2 * index + 1] = nanoseconds(spans[to]!.start);
    });
    const order = Uint32Array.from(times, (_, index) => index).sort((a, b) => times[a]! - times[b]! || a - b);
    for (const index of order) {
      const ts = times[index]! / 1e3;
      if (index < spans.length) yield this.#slice(spans[index]!, ts);
      else if (index < firstArrow) yield this.#counter(counters[index - spans.length]!, ts);
      else yield this.#arrowEnd(index - firstArrow, ts);
    }
  }

  #tid(span: Span): number {
    return span.rank * LANES.length + LANES.indexOf(laneOf(span)) + 1;
  }

  #slice(span: Span, ts: number): TraceEvent {
    const { id, kind, phase, name, sentBytes, start, end } = span;
    return {
      ph: 'X',
      pid: this.#pid,
      tid: this.#tid(span),
      name: id,
      cat: `${kind},${phase}`,
      ts,
      // Both ends are rounded, so that what follows without a gap still does and never overlaps.
      dur: (nanoseconds(end) - nanoseconds(start)) / 1e3,
      args: { op: name, ...(sentBytes === undefined ? {} : { sentBytes }) },
    };
  }

  #counter({ counter, values }: CounterSample, ts: number): TraceEvent {
    return { ph: 'C', pid: this.#pid, tid: 0, name: counter, ts, args: values };
  }

  #arrowEnd(end: number, ts: number): TraceEvent {
    const index = end >> 1;
    const { name, from, to } = this.#process.arrows![index]!;
    const common = { pid: this.#pid, name, cat: 'flow', id: this.#firstId + index, ts };
    const tid = this.#tid(this.#process.spans[end % 2 === 0 ? from : to]!);
    return end % 2 === 0 ? { ph: 's', tid, ...common } : { ph: 'f', bp: 'e', tid, ...common };
  }
}

/** All events: of each process its names, then the rest in ascending order of time. */
export function* traceEvents(processes: readonly TraceProcess[]): Generator<TraceEvent> {
  let firstId = 1;
  for (const [index, process] of processes.entries()) {
    const events = new ProcessEvents(process, index + 1, firstId);
    firstId += process.arrows?.length ?? 0;
    yield* events.metadata();
    yield* events.timed();
  }
}

/** Characters of a piece of the text. */
const PIECE = 2 ** 20;

/** A trace file in pieces, so that one of any length can be written. */
export function* traceText(processes: readonly TraceProcess[]): Generator<string> {
  let piece = '{"displayTimeUnit":"ms","traceEvents":[';
  let separator = '\n';
  for (const event of traceEvents(processes)) {
    piece += separator + JSON.stringify(event);
    separator = ',\n';
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}\n]}\n`;
}
