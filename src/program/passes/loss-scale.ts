/**
 * Dynamic loss scaling (Micikevicius et al. 2018) for types whose small gradients vanish: the loss is multiplied by a
 * scale before differentiation and gradients are divided by it before the update. A step with an infinite gradient is
 * left out and halves the scale; a streak of finite ones doubles it.
 */
import { stateOf } from '../../mesh/index.js';
import type { Builder } from '../builder.js';
import { recordOf } from '../ops/index.js';
import { unstacked } from '../types.js';
import type { CounterInput, DType, ProgramInput, ProgramOutput, ValueId } from '../types.js';

export interface LossScaling {
  /** The scale of the first step. */
  readonly initial: number;
  /** Finite steps in a row after which it doubles. */
  readonly interval: number;
}

/** The largest scale that it grows to; beyond it f32 sums of scaled losses come near their end. */
const LARGEST = 2 ** 24;

export interface ScaledStep {
  /** 0 where all gradients are finite: f32 []. */
  readonly nonfinite: ValueId;
  /** What gradients are multiplied by: [] of the type that updates are computed in. */
  readonly inverse: ValueId;
  /** Updates that were made, this one included: [], of the same type. */
  readonly step: ValueId;
}

export const counterInput = (
  builder: Builder,
  name: CounterInput['name'],
  initial: number,
  dtype: DType,
): CounterInput => ({
  kind: 'counter',
  name,
  initial,
  value: builder.value({ shape: [], dtype, states: {} }, 'optimizer', name),
});

/** Counts what is not finite over all gradients and chips of the mesh: f32 []. */
export function countNonfinite(builder: Builder, gradients: readonly ValueId[]): ValueId {
  const phase = 'optimizer' as const;
  const single = gradients.filter((id) => builder.type(id).stack === undefined);
  const counts = single.length === 0 ? [] : [builder.emit('count_nonfinite', single, {}, { id: 'check', phase })];
  for (const count of new Set(gradients.flatMap((id) => builder.type(id).stack ?? []))) {
    const stacked = gradients.filter((id) => builder.type(id).stack === count);
    const [type] = recordOf('count_nonfinite').infer(
      stacked.map((id) => unstacked(builder.type(id))),
      {},
      builder.mesh,
    );
    const zero = builder.emit('constant', [], { ...type!, value: 0 }, { id: 'check/start', phase });
    const { carried } = builder.repeat({ id: 'check-layers', phase, count, carried: [zero], stacked }, (body) => {
      const found = builder.emit('count_nonfinite', body.stacked, {}, { id: 'check/layer', phase });
      return { carried: [builder.emit('add', [body.carried[0]!, found], {}, { id: 'check/add', phase })], stacked: [] };
    });
    counts.push(carried[0]!);
  }
  const whole = counts.map((value) =>
    builder.mesh.axes.reduce((current, { name: axis }) => {
      if (stateOf(builder.type(current).states, axis) !== 'partial') return current;
      return builder.emit('all_reduce', [current], { axis }, { id: `check/reduce/${axis}`, phase });
    }, value),
  );
  return whole.reduce((a, b) => builder.emit('add', [a, b], {}, { id: 'check/total', phase }));
}

/**
 * Emits the check of a step and the next step's scale.
 *
 * @param scale the counter that the loss was multiplied by
 * @param nonfinite 0 where all gradients of the step are finite
 */
export function emitScaledStep(
  builder: Builder,
  { initial, interval }: LossScaling,
  scale: CounterInput,
  nonfinite: ValueId,
  dtype: DType,
): { step: ScaledStep; inputs: ProgramInput[]; outputs: ProgramOutput[] } {
  const phase = 'optimizer' as const;
  const finite = counterInput(builder, 'finite-steps', 0, 'f32');
  const applied = counterInput(builder, 'applied-steps', 0, dtype);
  // A job that starts higher is not taken down by a streak of finite steps.
  const attributes = { interval, largest: Math.max(LARGEST, initial) };
  const [nextScale, nextFinite] = builder.emitAll(
    'update_loss_scale',
    [scale.value, finite.value, nonfinite],
    attributes,
    { id: 'loss-scale', phase },
  );
  const one = builder.emit('constant', [], { shape: [], dtype, states: {}, value: 1 }, { id: 'applied/one', phase });
  const step = builder.emit('add', [applied.value, one], {}, { id: 'applied/add', phase });
  const nextApplied = builder.emit('select', [nonfinite, step, applied.value], {}, { id: 'applied/select', phase });
  const inverse = builder.emit('reciprocal', [scale.value], {}, { id: 'loss-scale/inverse', phase });
  const inType =
    dtype === 'f32' ? inverse : builder.emit('cast', [inverse], { dtype }, { id: 'loss-scale/cast', phase });
  return {
    step: { nonfinite, inverse: inType, step },
    inputs: [finite, applied],
    outputs: [
      { name: 'counter:loss-scale', value: nextScale! },
      { name: 'counter:finite-steps', value: nextFinite! },
      { name: 'counter:applied-steps', value: nextApplied },
    ],
  };
}
