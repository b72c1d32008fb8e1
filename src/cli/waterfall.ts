/** Where the difference between a predicted and a measured step comes from, told apart in several ways. */
import type { JoinedSpan, KindDifference } from '../trace/index.js';
import type { WorkKind } from '../hardware/index.js';
import type { WorkTimes } from './kernel-costs.js';
import { entriesOf, opOf } from './kernel-costs.js';

/** A joined span with what only the profile knows of it. */
export interface ComparedSpan extends JoinedSpan {
  /** Of a kernel: what its predicted time, all runs, is made of, in seconds. */
  readonly work?: WorkTimes;
}

export interface StepTimes {
  readonly predictedSeconds: number;
  readonly measuredSeconds: number;
}

const WORDS: Readonly<Record<WorkKind, string>> = {
  matmul: 'matmuls',
  'batched-matmul': 'batched matmuls',
  elementwise: 'elementwise',
  activation: 'activation functions',
  softmax: 'softmax',
  norm: 'norms',
  reduction: 'reductions',
  copy: 'copies',
  lookup: 'lookups',
  loss: 'loss',
  update: 'update',
  crossing: 'into and out of the library',
  launch: 'launches',
};

const difference = ({ predictedSeconds, measuredSeconds }: StepTimes): number => measuredSeconds - predictedSeconds;

/** Rows of a step that add up to it, what is off by most first; what no span covers is `between spans`. */
class Rows {
  readonly #rows = new Map<string, { predictedSeconds: number; measuredSeconds: number }>();

  add(kind: string, predicted: number, measured: number): void {
    const row = this.#rows.get(kind) ?? { predictedSeconds: 0, measuredSeconds: 0 };
    row.predictedSeconds += predicted;
    row.measuredSeconds += measured;
    this.#rows.set(kind, row);
  }

  sorted(): KindDifference[] {
    return [...this.#rows]
      .map(([kind, row]) => ({ kind, ...row }))
      .toSorted((a, b) => Math.abs(difference(b)) - Math.abs(difference(a)));
  }

  upTo({ predictedSeconds, measuredSeconds }: StepTimes): KindDifference[] {
    const rows = this.sorted();
    const rest = (of: keyof StepTimes) => rows.reduce((total, row) => total + row[of], 0);
    this.add('between spans', predictedSeconds - rest('predictedSeconds'), measuredSeconds - rest('measuredSeconds'));
    return this.sorted();
  }
}

/**
 * The kinds of work of a span, in words, with the share of its time that each has. A kernel that mixes kinds is measured
 * as a whole: its time is dealt to them as the prediction deals it.
 */
function kindsOf({ kind, work }: ComparedSpan): (readonly [kind: string, share: number])[] {
  if (kind === 'collective') return [['collectives', 1]];
  if (work === undefined) return [['kernels', 1]];
  const parts = entriesOf(work);
  const whole = parts.reduce((total, [, seconds]) => total + seconds, 0);
  // What costs nothing is at most launched.
  return whole === 0 ? [[WORDS.launch, 1]] : parts.map(([of, part]) => [WORDS[of], part / whole] as const);
}

/** By kind of work. */
export function byWork(spans: readonly ComparedSpan[], step: StepTimes): KindDifference[] {
  const rows = new Rows();
  for (const span of spans)
    for (const [kind, share] of kindsOf(span))
      rows.add(kind, share * span.predictedExposedSeconds, share * span.measuredExposedSeconds);
  return rows.upTo(step);
}

/** By kind of work, the kernels or collectives that have it, with as much of their time as it has; what is off by most first. */
export function opsByWork(spans: readonly ComparedSpan[]): ReadonlyMap<string, readonly OpDifference[]> {
  const kinds = new Map<string, { rows: Rows; runs: Map<string, number> }>();
  for (const span of spans) {
    const op = opOf(span.id);
    for (const [kind, share] of kindsOf(span)) {
      let of = kinds.get(kind);
      if (of === undefined) kinds.set(kind, (of = { rows: new Rows(), runs: new Map() }));
      of.rows.add(op, share * span.predictedExposedSeconds, share * span.measuredExposedSeconds);
      of.runs.set(op, (of.runs.get(op) ?? 0) + (span.runs ?? 1));
    }
  }
  return new Map(
    [...kinds].map(([kind, { rows, runs }]) => [
      kind,
      rows.sorted().map((row) => ({ ...row, spans: runs.get(row.kind)! })),
    ]),
  );
}

/** By phase, collectives with the phase they are of. */
export function byPhase(spans: readonly ComparedSpan[], step: StepTimes): KindDifference[] {
  const rows = new Rows();
  for (const { phase, predictedExposedSeconds, measuredExposedSeconds } of spans)
    rows.add(phase, predictedExposedSeconds, measuredExposedSeconds);
  return rows.upTo(step);
}

export interface CollectiveDifference extends KindDifference {
  /** From their starts to their ends, hidden or not; several may run at once. */
  readonly predictedWholeSeconds: number;
  readonly measuredWholeSeconds: number;
  /** What a rank sends in a step. */
  readonly sentBytes: number;
}

/** By kind and axis: what no kernel hides of it, and all of it. */
export function byCollective(spans: readonly ComparedSpan[]): CollectiveDifference[] {
  const exposed = new Rows();
  const whole = new Map<string, { predicted: number; measured: number; bytes: number }>();
  for (const span of spans) {
    if (span.kind !== 'collective') continue;
    const kind = span.axis === undefined ? span.name : `${span.name} over ${span.axis}`;
    exposed.add(kind, span.predictedExposedSeconds, span.measuredExposedSeconds);
    const { runs = 1, sentBytes = 0 } = span;
    const before = whole.get(kind) ?? { predicted: 0, measured: 0, bytes: 0 };
    whole.set(kind, {
      predicted: before.predicted + runs * span.predictedSeconds,
      measured: before.measured + runs * span.measuredSeconds,
      bytes: before.bytes + runs * sentBytes,
    });
  }
  return exposed.sorted().map((row) => {
    const { predicted, measured, bytes } = whole.get(row.kind)!;
    return { ...row, predictedWholeSeconds: predicted, measuredWholeSeconds: measured, sentBytes: bytes };
  });
}

export interface OpDifference extends KindDifference {
  /** Runs of it that have a span: layers, microbatches. */
  readonly spans: number;
}

/** The kernels that the step is off by most for, each in all its layers and microbatches. */
export function worstKernels(spans: readonly ComparedSpan[], count: number): OpDifference[] {
  const rows = new Rows();
  const runs = new Map<string, number>();
  for (const { id, kind, predictedExposedSeconds, measuredExposedSeconds } of spans) {
    if (kind !== 'kernel') continue;
    rows.add(opOf(id), predictedExposedSeconds, measuredExposedSeconds);
    runs.set(opOf(id), (runs.get(opOf(id)) ?? 0) + 1);
  }
  return rows
    .sorted()
    .slice(0, count)
    .map((row) => ({ ...row, spans: runs.get(row.kind)! }));
}

const BAR = 32;

/**
 * A bar a row, each where the one before it ended: from the predicted step to the measured one. All are to one scale.
 */
export function waterfallBars(
  rows: readonly KindDifference[],
  { predictedSeconds, measuredSeconds }: StepTimes,
): string[] {
  const ends: number[] = [];
  let at = predictedSeconds;
  for (const row of rows) ends.push((at += difference(row)));
  const most = Math.max(predictedSeconds, measuredSeconds, ...ends);
  const column = (value: number): number => Math.round((BAR * Math.max(0, value)) / most);
  const bar = (from: number, to: number): string => {
    const [left, right] = [column(Math.min(from, to)), column(Math.max(from, to))];
    return ' '.repeat(left) + (right > left ? '█'.repeat(right - left) : '▏');
  };
  return [
    bar(0, predictedSeconds),
    ...ends.map((end, index) => bar(index === 0 ? predictedSeconds : ends[index - 1]!, end)),
    bar(0, measuredSeconds),
  ];
}
