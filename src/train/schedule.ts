/** The learning rate over a run: linear warm-up to the peak, then reciprocal-square-root decay, linear cool-down. */

export interface ScheduleOptions {
  readonly peak: number;
  readonly steps: number;
  /** 0 starts at the peak, which then stays: a reciprocal square root needs a time scale, and that is the warm-up. */
  readonly warmupSteps: number;
  readonly cooldownSteps: number;
}

/** @param step from 1 (the ViT-22B paper's §4.1 has the form; Zhai et al. 2022 the cool-down to zero) */
export function learningRateAt(step: number, { peak, steps, warmupSteps, cooldownSteps }: ScheduleOptions): number {
  const warm = warmupSteps === 0 ? 1 : Math.min(1, step / warmupSteps);
  const decay = warmupSteps === 0 ? 1 : Math.sqrt(warmupSteps / Math.max(step, warmupSteps));
  const cool = cooldownSteps === 0 ? 1 : Math.min(1, (steps - step + 1) / cooldownSteps);
  return peak * warm * decay * cool;
}
