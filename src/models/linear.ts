/** Linear layers between the residual stream and the hidden side, in every layout of the stream. */
import type { ValueId } from '../program/index.js';
import type { ActivationLayout } from './layout.js';
import type { ModelBuilder } from './model-builder.js';

export interface LinearOptions {
  /**
   * Where it goes: from the stream to the `hidden` side, whose width is sharded over `model`; from there to the
   * `stream`; or from the stream to a width that every chip has the `whole` of.
   */
  readonly to: 'hidden' | 'stream' | 'whole';
  readonly input: number;
  readonly output: number;
  /** The parts of a fused projection, dealt one by one: of the width on the hidden side. */
  readonly segments?: readonly number[];
  readonly bias?: boolean;
  /** Whether it completes the gradient of a replicated input by itself, and not with others that read it; not unless given. */
  readonly ownGradient?: boolean;
  /** The layout of its end in the stream; the model's unless given. */
  readonly layout?: ActivationLayout;
}

/** Which dimension of a kernel [input, output] is sharded over `model`: `columns` need the whole input. */
type Sharding = 'columns' | 'rows' | 'none';

/** @param gathered whether the input is gathered in any case */
function shardingOf(options: LinearOptions, layout: ActivationLayout, gathered: boolean): Sharding {
  const { to, input, output, segments } = options;
  if (to === 'whole') return 'none';
  // Both ends are sharded over the width, so either side may travel: (k−1)/k of the input or of the output. A fused
  // projection's parts are dealt where the kernel is sharded, so that has to be their side.
  if (layout === 'width' && segments === undefined && !gathered) return output > input ? 'columns' : 'rows';
  return to === 'hidden' ? 'columns' : 'rows';
}

const KERNEL_DIMENSION = { columns: { model: 1 }, rows: { model: 0 }, none: {} } as const;

/** Several linears of one input, which is gathered once: x [..., input] → [..., output] each. */
export function linears(
  m: ModelBuilder,
  x: ValueId,
  list: readonly (LinearOptions & { readonly name: string })[],
): ValueId[] {
  const gathered = list.some(({ to }) => to === 'whole');
  const prepared = list.map((options) => {
    const { name, input, output, segments, layout = m.options.activations } = options;
    const sharding = shardingOf(options, layout, gathered);
    const kernel = m.in(name, () =>
      m.parameter('kernel', [input, output], {
        ...KERNEL_DIMENSION[sharding],
        initializer: { kind: 'normal', standardDeviation: input ** -0.5 },
        decayed: true,
        ...(segments ? { segments } : {}),
      }),
    );
    return { ...options, layout, sharding, kernel };
  });
  const needsWhole = prepared.find(({ sharding }) => sharding !== 'rows');
  const whole = needsWhole === undefined ? x : m.in(needsWhole.name, () => m.gather(x));
  return prepared.map(({ name, to, output, segments, bias, layout, sharding, kernel, ownGradient }) =>
    m.in(name, () => {
      const copied = ownGradient === true && sharding === 'columns' && whole === x;
      const read = copied ? m.copyToShards(x) : whole;
      const y =
        sharding === 'rows'
          ? m.settle(m.matmul(x, kernel, {}, 'matmul'), to === 'hidden' ? 'width' : layout)
          : m.matmul(read, kernel, {}, 'matmul');
      if (bias !== true) return y;
      const sharded = m.shape(y).at(-1) === output ? {} : { model: 0 };
      const b = m.parameter('bias', [output], {
        ...sharded,
        initializer: { kind: 'zeros' },
        ...(sharding === 'columns' && segments ? { segments } : {}),
      });
      return m.op('add', [y, b], {}, 'add-bias');
    }),
  );
}

/** x [..., input] → [..., output]. */
export const linear = (m: ModelBuilder, name: string, x: ValueId, options: LinearOptions): ValueId =>
  linears(m, x, [{ ...options, name }])[0]!;
