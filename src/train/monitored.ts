/** What a step tells of itself beside its loss, put together from all ranks. */
import { GRADIENT_SQUARES, LARGEST_LOGIT, MONITOR } from '../program/index.js';
import type { Pipeline, Program } from '../program/index.js';
import type { HostTensor, StateValue } from '../runtime/index.js';
import { numbersOf } from '../runtime/index.js';

export interface Monitored {
  /**
   * The L2 norm of all gradients together, as the optimizer gets them: summed over microbatches and ranks, without the
   * loss scale. Infinite or no number where one of them is.
   */
  readonly gradientNorm: number;
  /** The largest magnitude of an attention logit q·k/√d before the mask, over all layers, heads and examples. */
  readonly largestAttentionLogit: number;
}

/** The outputs to ask for. */
export const monitorOutputs = ({ outputs }: Program): string[] =>
  outputs.flatMap(({ name }) => (name.startsWith(MONITOR) ? [name] : []));

export const pipelineMonitorOutputs = ({ stages }: Pipeline): string[] => [
  ...new Set(stages.flatMap(({ finish }) => finish.flatMap(monitorOutputs))),
];

/** @param outputs of each rank, of a pipeline those that its stage has */
export function monitoredOf(outputs: readonly Readonly<Record<string, StateValue>>[]): Monitored {
  let squares = 0;
  let largest = 0;
  for (const [name, value] of outputs.flatMap((one) => Object.entries(one))) {
    const [number] = name.startsWith(MONITOR) ? numbersOf(value as HostTensor) : [];
    if (number === undefined) continue;
    if (name === GRADIENT_SQUARES) squares += number;
    // `Math.max` gives back what is no number.
    else if (name.startsWith(LARGEST_LOGIT)) largest = Math.max(largest, number);
  }
  return { gradientNorm: Math.sqrt(squares), largestAttentionLogit: largest };
}
