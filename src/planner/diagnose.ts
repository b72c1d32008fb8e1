/** Why a measured step is slower than predicted: causes that were simulated, the likeliest first. */
import type { Stack } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import { tokensPerExample } from '../models/index.js';
import type { Seconds } from '../units.js';
import type { Degree, Suspect } from './causes.js';
import { degreesOf, settingsOf } from './causes.js';
import type { Assess, StepFigures } from './variation.js';
import { unlessRefused } from './variation.js';

export interface Explanation {
  readonly cause: string;
  readonly check: string;
  /** Of the gap between predicted and measured; above 1 where it would make the step slower than it is. */
  readonly explains: number;
  readonly stepTimeSeconds: number;
  /** How many times as slow it would have to be; absent where it is so or not. */
  readonly slower?: number;
  /**
   * From 0 to 1. Of what is so or not: how much of the gap it explains, or how far it overshoots. Of what may be slow:
   * how little slower it would have to be, times what it explains of the gap at most.
   */
  readonly likelihood: number;
}

export interface Diagnosis {
  readonly predictedStepTimeSeconds: number;
  readonly measuredStepTimeSeconds: number;
  readonly predictedMfu: number;
  readonly measuredMfu: number;
  /** Measured over predicted, less 1. */
  readonly gap: number;
  /** Likeliest first; none where it is not slower than predicted. */
  readonly explanations: readonly Explanation[];
}

/** Beyond it another cause is likelier. */
const MOST_SLOWER = 10;
/** Less of the gap than this is not worth a line. */
const LEAST_EXPLAINED = 0.02;
/** Of the gap: nearer isn't looked for. */
const NEAR = 0.01;
const MOST_TRIES = 10;

export function diagnose(job: Job, stack: Stack, measured: Seconds, assess: Assess): Diagnosis {
  const base = assess(job, { stack });
  const predicted = base.stepTimeSeconds;
  const gap = measured - predicted;
  const step = ({ job: one, options }: Suspect): StepFigures | undefined =>
    unlessRefused(() => assess(one, { stack, ...options }));
  const of = (figures: StepFigures): number => (figures.stepTimeSeconds - predicted) / gap;

  const settings = (): Explanation[] =>
    settingsOf(job, stack).flatMap(({ name, check, suspect }) => {
      const figures = step(suspect);
      // It ran, so it fitted.
      if (figures === undefined || (base.fits && !figures.fits)) return [];
      const explains = of(figures);
      const likelihood = explains <= 1 ? Math.max(0, explains) : 1 / explains;
      return [{ cause: name, check, explains, stepTimeSeconds: figures.stepTimeSeconds, likelihood }];
    });

  /** The factor at which it explains all, or as much of the gap as it can. */
  const degree = ({ name, check, at }: Degree): Explanation[] => {
    const most = step(at(MOST_SLOWER));
    if (most === undefined) return [];
    const found = most.stepTimeSeconds > measured ? between(at, most) : { slower: MOST_SLOWER, figures: most };
    if (found === undefined) return [];
    const { slower, figures } = found;
    const explains = of(figures);
    const likelihood = Math.min(1, Math.max(0, explains)) / slower;
    return [{ cause: `${name} slower`, check, explains, stepTimeSeconds: figures.stepTimeSeconds, slower, likelihood }];
  };

  /** False position in the logarithm of the factor, the end that stays weighed less and less (the Illinois method). */
  function between(at: Degree['at'], most: StepFigures): { slower: number; figures: StepFigures } | undefined {
    let [low, lowMiss, high, highMiss] = [0, -1, Math.log(MOST_SLOWER), of(most) - 1];
    let found = { slower: MOST_SLOWER, figures: most };
    for (let tries = 0, side = 0; tries < MOST_TRIES; tries++) {
      const next = (low * highMiss - high * lowMiss) / (highMiss - lowMiss);
      const figures = step(at(Math.exp(next)));
      if (figures === undefined) return undefined;
      found = { slower: Math.exp(next), figures };
      const miss = of(figures) - 1;
      if (Math.abs(miss) <= NEAR) break;
      if (miss < 0) {
        [low, lowMiss] = [next, miss];
        if (side < 0) highMiss /= 2;
      } else {
        [high, highMiss] = [next, miss];
        if (side > 0) lowMiss /= 2;
      }
      side = Math.sign(miss);
    }
    return found;
  }

  const examples = job.batch / measured;
  const input: Explanation = {
    cause: 'steps wait for their input',
    check: `run with input made up on the chip, or measure the loader alone: it would give ${Number(examples.toPrecision(3))} examples (${Number((examples * tokensPerExample(job.model)).toPrecision(3))} tokens) a second and no more`,
    explains: 1,
    stepTimeSeconds: measured,
    slower: measured / predicted,
    likelihood: predicted / measured,
  };

  return {
    predictedStepTimeSeconds: predicted,
    measuredStepTimeSeconds: measured,
    predictedMfu: base.mfu,
    measuredMfu: (base.mfu * predicted) / measured,
    gap: gap / predicted,
    explanations:
      gap <= 0
        ? []
        : [...degreesOf(job, stack).flatMap(degree), ...settings(), input]
            .filter(({ explains }) => explains >= LEAST_EXPLAINED)
            .sort((a, b) => b.likelihood - a.likelihood),
  };
}
