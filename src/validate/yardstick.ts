/**
 * What a prediction has to beat: the FLOPs that a run computes over one constant efficiency, times the bubble of its
 * pipeline. The efficiency is the median of the other rows of its set.
 */
import { median } from 'simple-statistics';
import { loadHardware } from '../hardware/index.js';
import type { Row } from './row.js';

const peaks = new Map<string, number | undefined>();

function peakOf(chip: string): number | undefined {
  if (!peaks.has(chip)) {
    try {
      peaks.set(chip, loadHardware(chip).chip.matmul.bf16?.peak);
    } catch {
      peaks.set(chip, undefined);
    }
  }
  return peaks.get(chip);
}

/** Matmul FLOPs of a step as it runs: causal attention halved where a kernel leaves out what is masked, layers made again counted. */
export function computedFlops({ model, plan }: Row): number {
  const { width, heads, layers, sequenceLength: tokens, mlpWidth, vocabulary } = model;
  const headWidth = model.headWidth ?? width / heads;
  const [queries, keys] = [heads * headWidth, (model.keyValueHeads ?? heads) * headWidth];
  const weights = width * (2 * queries + 2 * keys) + (model.gatedMlp === true ? 3 : 2) * width * mlpWidth;
  const attention = 4 * queries * tokens * (plan.attention === 'flash' ? 0.5 : 1);
  const forward = layers * (2 * weights + attention);
  const again = plan.recompute === 'full' ? forward : plan.recompute === 'selective' ? layers * attention : 0;
  return plan.globalBatch * tokens * (3 * (forward + 2 * vocabulary * width) + again);
}

/** How much longer a step takes than its microbatches do on a stage: 1 + (stages − 1) / (chunks · microbatches). */
export function bubble({ plan }: Row): number {
  const microbatches = plan.globalBatch / plan.data / plan.microbatch;
  if (plan.schedule?.startsWith('zero-bubble') === true || plan.schedule?.startsWith('zb-') === true) return 1;
  return 1 + (plan.pipe - 1) / (microbatches * (plan.virtualStages ?? 1));
}

/** Seconds that a row would take on chips that reach their peak; nothing of chips without a profile. */
function ideal(row: Row): number | undefined {
  const peak = peakOf(row.hardware.chip);
  return peak === undefined ? undefined : (computedFlops(row) / (row.hardware.chips * peak)) * bubble(row);
}

/** Of each row of one set the step time by yardstick, in seconds; nothing where it has no others to go by. */
export function yardstickTimes(rows: readonly Row[]): (number | undefined)[] {
  const ideals = rows.map(ideal);
  const efficiency = rows.map(({ measured: { stepTimeSeconds } }, index) =>
    stepTimeSeconds == null || ideals[index] === undefined ? undefined : ideals[index] / stepTimeSeconds,
  );
  return ideals.map((time, index) => {
    const others = efficiency.filter((value, other) => value !== undefined && other !== index) as number[];
    return time === undefined || others.length === 0 ? undefined : time / median(others);
  });
}
