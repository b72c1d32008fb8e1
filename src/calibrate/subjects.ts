/** What a fit is made to: measured times beside a function of a profile that predicts the same times. */
import { median } from 'simple-statistics';
import type { Hardware, Stack } from '../hardware/index.js';

export interface ResolvedProfile {
  readonly hardware: Hardware;
  readonly stack: Stack;
}

/** One measured time. */
export interface Sample {
  readonly id: string;
  readonly what: 'span' | 'kind' | 'rest' | 'step';
  readonly seconds: number;
  /** What is added to measured and predicted before they are compared, so that what is next to nothing says little. */
  readonly floor: number;
  /** Standard deviation of the logarithm of their ratio, with a right profile; infinite where nothing is fitted to it. */
  readonly noise: number;
}

/** One run, or one group of measured work: what is held out together. */
export interface Subject {
  /** Deals subjects into those to fit and those to check: all of one group are on the same side. */
  readonly group: string;
  readonly ranks: number;
  /** For people. */
  readonly title: string;
  /** Where what was measured is from: the path of a run folder or a file, where that is known. */
  readonly from?: string;
  readonly samples: readonly Sample[];
  /** @returns the time of each sample by a profile, in their order */
  predict(profile: ResolvedProfile): number[];
}

/** A kernel or a collective, all runs of its op in a step together. */
export interface MeasuredOp {
  readonly opId: string;
  /** `forward kernels`, `all_reduce (reduce)` … */
  readonly kind: string;
  readonly exposedSeconds: number;
}

export interface MeasuredRun {
  readonly group: string;
  readonly title: string;
  readonly ranks: number;
  /** What the step takes with the reference's drift divided out. */
  readonly stepSeconds: number;
  readonly ops: readonly MeasuredOp[];
  /** Of more ranks than cores: which of a step a rank computes in, and which it waits in, is up to the scheduler. */
  readonly takesTurns: boolean;
  /** A rank waits for other stages between its spans, and what it waits in them hangs on when those look. */
  readonly isPipeline: boolean;
}

export interface PredictedRun {
  readonly stepSeconds: number;
  /** By op id, what all its runs add to the step. */
  readonly exposed: ReadonlyMap<string, number>;
}

/**
 * How well a right profile could predict each, as standard deviations of logarithms. One span's kernel may differ from the
 * mix that its terms are of; sums of kinds less, and the step is what is to be predicted.
 */
const NOISE = { span: 0.25, kind: 0.1, rest: 0.3, step: 0.03 } as const;
export const STEP_NOISE = NOISE.step;
/** Shares of the step that are next to nothing. */
const FLOOR = { span: 0.003, kind: 0.01, rest: 0.02, step: 0 } as const;

const sumBy = (items: readonly MeasuredOp[]): Map<string, MeasuredOp[]> => {
  const found = new Map<string, MeasuredOp[]>();
  for (const item of items) found.set(item.kind, [...(found.get(item.kind) ?? []), item]);
  return found;
};

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** @param predict simulates the run's program on a profile; asked for again and again */
export function runSubject(run: MeasuredRun, predict: (profile: ResolvedProfile) => PredictedRun): Subject {
  const { stepSeconds, ops, takesTurns, isPipeline } = run;
  const sample = (what: Sample['what'], id: string, seconds: number, noise: number = NOISE[what]): Sample => ({
    id,
    what,
    seconds,
    floor: FLOOR[what] * stepSeconds,
    noise,
  });
  const kinds = takesTurns ? new Map<string, MeasuredOp[]>() : sumBy(ops);
  const spans = takesTurns ? [] : ops;
  // Of a run of which only the step is known, nothing is told apart.
  const hasRest = !takesTurns && !isPipeline && ops.length > 0;
  const rest = (step: number, exposed: readonly number[]): number => Math.max(0, step - total(exposed));
  return {
    group: run.group,
    title: run.title,
    ranks: run.ranks,
    samples: [
      ...spans.map(({ opId, exposedSeconds }) => sample('span', opId, exposedSeconds)),
      ...[...kinds].map(([kind, of]) =>
        sample(
          'kind',
          kind,
          of.reduce((sum, { exposedSeconds }) => sum + exposedSeconds, 0),
        ),
      ),
      ...(hasRest
        ? [
            sample(
              'rest',
              'between spans',
              rest(
                stepSeconds,
                ops.map(({ exposedSeconds }) => exposedSeconds),
              ),
            ),
          ]
        : []),
      // A pipeline's step is its spans and what ranks wait between them, which no term is of: it is predicted, not fitted.
      sample('step', 'step', stepSeconds, isPipeline && spans.length > 0 ? Infinity : NOISE.step),
    ],
    predict(profile) {
      const { stepSeconds: step, exposed } = predict(profile);
      const of = ({ opId }: MeasuredOp): number => exposed.get(opId) ?? 0;
      return [
        ...spans.map(of),
        ...[...kinds.values()].map((group) => total(group.map(of))),
        ...(hasRest ? [rest(step, [...exposed.values()])] : []),
        step,
      ];
    },
  };
}

/** @param seconds of each step */
export const typicalStep = (seconds: readonly number[], drift = 1): number => median([...seconds]) / drift;
