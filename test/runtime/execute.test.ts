import { afterEach, describe, expect, it } from 'vitest';
import { SMALL_VIT } from '../helpers/models.js';
import { interpret, relativeError } from '../helpers/interpret.js';
import { createMesh, rankCount } from '../../src/mesh/index.js';
import type { Mesh } from '../../src/mesh/index.js';
import { forward } from '../../src/models/index.js';
import {
  Builder,
  DEFAULT_ADAMW,
  elementCount,
  fuse,
  isState,
  lowerTrainingStep,
  stateKey,
  verify,
} from '../../src/program/index.js';
import type { Program } from '../../src/program/index.js';
import { assembleGlobal, cutShard } from '../../src/runtime/index.js';
import type { DevicePool, Feeds } from '../../src/runtime/index.js';
import { compileProgram } from '../../src/runtime/compile.js';
import { Handle } from '../../src/runtime/handle.js';
import { Memory } from '../../src/runtime/memory.js';
import { Execution } from '../../src/runtime/execute.js';
import type { Environment } from '../../src/runtime/execute.js';
import type { HostTensor, KernelFamily } from '../../src/runtime/kernels/family.js';
import { createKernelFamily } from '../../src/runtime/kernels/index.js';
import { createReferenceFamily } from '../../src/runtime/kernels/reference/index.js';
import { createTransportMemory, Transport } from '../../src/runtime/transport/index.js';
import { seconds } from '../../src/units.js';
import { counting, createPool, createSingleRank, parameter, tensorType } from './support.js';

const single = createMesh({});
const scalar = tensorType([]);
const at = (id: string) => ({ id, phase: 'forward' as const });
const one = (value: number): HostTensor => Float64Array.of(value);
const layersOf = (...values: number[]): HostTensor[] => values.map(one);

/** c ← 2c + w[i], from `start`; gives the last c and the list of all of them. */
function recurrence(count: number, reverse: boolean): Program {
  const builder = new Builder(single);
  const start = parameter(builder, 'start', scalar);
  const weights = parameter(builder, 'weights', { ...scalar, stack: count });
  const { carried, stacked } = builder.repeat(
    { ...at('layers'), count, reverse, carried: [start.value], stacked: [weights.value] },
    (body) => {
      const twice = builder.emit('scale', [body.carried[0]!], { factor: 2 }, at('twice'));
      const next = builder.emit('add', [twice, body.stacked[0]!], {}, at('add'));
      return { carried: [next], stacked: [next] };
    },
  );
  return verify(
    builder.finish(
      [start.input, weights.input],
      [
        { name: 'gradient:last', value: carried[0]! },
        { name: 'gradient:all', value: stacked[0]! },
      ],
    ),
  );
}

describe('a repeat', () => {
  it.each([
    [false, 'first', [5, 13, 31]],
    [true, 'last', [25, 11, 4]],
  ])('carries and stacks, reverse %s: starts at the %s element', async (reverse, _, all) => {
    const rank = createSingleRank();
    await rank.load('recurrence', recurrence(3, reverse));
    rank.setState('parameter:start', one(1));
    rank.setState('parameter:weights', reverse ? layersOf(3, 3, 2) : layersOf(3, 3, 5));
    const { outputs } = await rank.run('recurrence', {}, ['gradient:last', 'gradient:all'], seconds(0));
    expect(outputs['gradient:all']).toEqual(layersOf(...all));
    expect(outputs['gradient:last']).toEqual(one(reverse ? all[0]! : all[2]!));
  });

  it('gives each span the elements of the repeats around it, outermost first', async () => {
    const builder = new Builder(single);
    const x = parameter(builder, 'x', scalar);
    const weights = parameter(builder, 'weights', { ...scalar, stack: 2 });
    const repeat = { carried: [x.value], stacked: [] };
    const { carried } = builder.repeat({ ...at('microbatches'), count: 2, ...repeat }, (outer) =>
      // The inner stack comes from around both.
      builder.repeat(
        { ...at('layers'), count: 2, reverse: true, carried: outer.carried, stacked: [weights.value] },
        (inner) => ({
          carried: [builder.emit('add', [inner.carried[0]!, inner.stacked[0]!], {}, at('sum'))],
          stacked: [],
        }),
      ),
    );
    const program = fuse(verify(builder.finish([x.input, weights.input], [{ name: 'loss', value: carried[0]! }])));
    const rank = createSingleRank();
    await rank.load('nested', program);
    rank.setState('parameter:x', one(0));
    rank.setState('parameter:weights', layersOf(1, 10));
    const { outputs, spans, end } = await rank.run('nested', {}, ['loss'], seconds(0));
    expect(outputs.loss).toEqual(one(22));
    expect(spans.map(({ id }) => id)).toEqual(['sum!@0.1', 'sum!@0.0', 'sum!@1.1', 'sum!@1.0']);
    for (const span of spans) expect(span).toMatchObject({ kind: 'kernel', name: 'kernel', phase: 'forward', rank: 0 });
    const times = spans.flatMap((span) => [span.start, span.end]);
    expect([...times, end]).toEqual([...times, end].toSorted((a, b) => a - b));
  });
});

describe('state', () => {
  it('is replaced by the outputs that are named like it, and shared by programs', async () => {
    const builder = new Builder(single);
    const x = parameter(builder, 'x', scalar);
    const doubled = builder.emit('scale', [x.value], { factor: 2 }, at('double'));
    const step = builder.finish([x.input], [{ name: 'parameter:x', value: doubled }]);
    const read = builder.finish([x.input], [{ name: 'logits', value: doubled }]);
    const rank = createSingleRank();
    await rank.load('step', step);
    await rank.load('read', read);
    rank.setState('parameter:x', Float32Array.of(3));
    for (let count = 0; count < 2; count++) await rank.run('step', {}, [], seconds(0));
    expect(await rank.readState('parameter:x')).toEqual(one(12));
    expect((await rank.run('read', {}, ['logits'], seconds(0))).outputs.logits).toEqual(one(24));
    expect(await rank.readState('parameter:x')).toEqual(one(12));
  });

  it('of a counter begins at its initial value and is left for the next step', async () => {
    const builder = new Builder(single);
    const scale = builder.value(tensorType([], {}, 'f32'), 'input');
    const doubled = builder.emit('scale', [scale], { factor: 2 }, at('double'));
    const input = { kind: 'counter', value: scale, name: 'loss-scale', initial: 3 } as const;
    const program = verify(builder.finish([input], [{ name: 'counter:loss-scale', value: doubled }]));
    const rank = createSingleRank();
    await rank.load('step', program);
    rank.initialize(1);
    expect(await rank.readState('counter:loss-scale')).toEqual(Float32Array.of(3));
    for (let count = 0; count < 2; count++) await rank.run('step', {}, [], seconds(0));
    expect(await rank.readState('counter:loss-scale')).toEqual(Float32Array.of(12));
    expect(interpret(program, new Map([[scale, Float32Array.of(3)]]))).toEqual(
      new Map([['counter:loss-scale', Float32Array.of(6)]]),
    );
  });

  it('of a type that the family lacks is refused', async () => {
    const builder = new Builder(single);
    const x = parameter(builder, 'x', tensorType([2], {}, 'f64'));
    const result = builder.emit('scale', [x.value], { factor: 2 }, at('double'));
    const program = builder.finish([x.input], [{ name: 'logits', value: result }]);
    const rank = createSingleRank({ family: await createKernelFamily('onnx') });
    await expect(rank.load('x', program)).rejects.toMatchObject({ code: 'DTYPE_UNSUPPORTED' });
  });

  it('that no program has, or of another size, is refused', async () => {
    const rank = createSingleRank();
    await rank.load('recurrence', recurrence(3, false));
    expect(() => rank.setState('parameter:y', one(1))).toThrow('parameter:y');
    expect(() => rank.setState('parameter:start', new Float64Array(2))).toThrow('expected 1 elements [], got 2');
    expect(() => rank.setState('parameter:weights', layersOf(1, 2))).toThrow('expected 3, got a list of 2');
    await expect(rank.run('recurrence', {}, [], seconds(0))).rejects.toThrow(
      /RANK_FAILED at rank 0, inputs.*initialize/,
    );
  });
});

it('token ids are fed and kept as whole numbers', async () => {
  const builder = new Builder(single);
  const tokens = builder.value({ ...tensorType([2], {}, 'i32'), stack: 2 }, 'input', 'tokens');
  const program = builder.finish(
    [{ kind: 'data', name: 'tokens', value: tokens }],
    [{ name: 'logits', value: tokens }],
  );
  const rank = createSingleRank();
  await rank.load('tokens', program);
  const shared = new Int32Array(new SharedArrayBuffer(8));
  shared.set([5, 2 ** 30 + 1]);
  const { outputs } = await rank.run(
    'tokens',
    { tokens: [shared, Float64Array.of(7, 8)] as HostTensor[] },
    ['logits'],
    seconds(0),
  );
  expect(outputs.logits).toEqual([Int32Array.of(5, 2 ** 30 + 1), Int32Array.of(7, 8)]);
});

describe('memory', () => {
  /** loss = 2 · (4 · images + x); x is left alone. */
  function twoKernels(): Program {
    const builder = new Builder(single);
    const x = parameter(builder, 'x', scalar);
    const images = builder.value(scalar, 'input', 'images');
    const scaled = builder.emit('scale', [images], { factor: 4 }, at('scale'));
    const sum = builder.emit('add', [scaled, x.value], {}, at('sum'));
    const loss = builder.emit('scale', [sum], { factor: 2 }, at('loss'));
    return builder.finish([x.input, { kind: 'data', name: 'images', value: images }], [{ name: 'loss', value: loss }]);
  }

  it.each([true, false])(
    'of arrays that a rank is given is freed after use only where it is the rank’s: %s',
    async (keepsArrays) => {
      const rank = createSingleRank({ keepsArrays });
      await rank.load('step', twoKernels());
      const [x, images] = [one(1), one(10)];
      rank.setState('parameter:x', x);
      const { outputs } = await rank.run('step', { images }, ['loss'], seconds(0));
      expect(outputs.loss).toEqual(one(82));
      expect(images.byteLength).toBe(keepsArrays ? 0 : 8);
      expect(x).toEqual(one(1));
      // What is no longer held is freed: the state that another replaces.
      rank.setState('parameter:x', one(2));
      expect(x.byteLength).toBe(keepsArrays ? 0 : 8);
    },
  );

  it('of one array given twice is freed once both are used', async () => {
    const rank = createSingleRank({ keepsArrays: true });
    await rank.load('recurrence', recurrence(2, false));
    rank.setState('parameter:start', one(1));
    const weight = one(3);
    rank.setState('parameter:weights', [weight, weight]);
    for (let run = 0; run < 2; run++) {
      const { outputs } = await rank.run('recurrence', {}, ['gradient:last'], seconds(0));
      expect(outputs['gradient:last']).toEqual(one(13));
    }
    rank.setState('parameter:weights', layersOf(1, 1));
    expect(weight.byteLength).toBe(0);
  });

  it('of an output that is also state is not shared with it', async () => {
    const builder = new Builder(single);
    const x = parameter(builder, 'x', scalar);
    const doubled = builder.emit('scale', [x.value], { factor: 2 }, at('double'));
    const names = ['parameter:x', 'logits'];
    const rank = createSingleRank();
    await rank.load(
      'step',
      builder.finish(
        [x.input],
        names.map((name) => ({ name, value: doubled })),
      ),
    );
    rank.setState('parameter:x', one(1));
    const first = await rank.run('step', {}, names, seconds(0));
    await rank.run('step', {}, [], seconds(0));
    expect(first.outputs).toEqual({ 'parameter:x': one(2), logits: one(2) });
    expect(await rank.readState('parameter:x')).toEqual(one(4));
  });
});

it('values are dropped after their last use', async () => {
  const builder = new Builder(single);
  const x = parameter(builder, 'x', scalar);
  let value = x.value;
  for (let count = 0; count < 5; count++) value = builder.emit('scale', [value], { factor: 2 }, at('double'));
  const unused = builder.emit('scale', [value], { factor: 3 }, at('unused'));
  const program = builder.finish([x.input], [{ name: 'loss', value }]);
  const env: Environment = [];
  const held: number[] = [];
  const reference = createReferenceFamily();
  const family: KernelFamily = {
    ...reference,
    compile: async (spec) => {
      const kernel = await reference.compile(spec);
      const count = (): number => env.filter((binding) => binding !== undefined).length;
      return { run: (operands, results) => (held.push(count()), kernel.run(operands, results)) };
    },
  };
  const memory = new Memory();
  env[x.value] = Handle.owned(memory, one(1)).hold();
  const transport = new Transport(createTransportMemory(single, 1), 0);
  const around = { mesh: single, rank: 0, transport, memory, clock: () => seconds(0), startedAt: seconds(0) };
  await new Execution(await compileProgram(program, family, 0), env, around).run();
  expect(held).toEqual([1, 1, 1, 1, 1, 1]);
  expect((env[value] as Handle).data).toEqual(one(32));
  expect(env[unused]).toBeUndefined();
});

describe('a training step', () => {
  const pools: DevicePool[] = [];
  afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

  const BATCH = 8;
  const MICROBATCHES = 2;

  /** Two steps of AdamW from the same seed; gives loss, and all state as whole tensors. */
  async function train(mesh: Mesh): Promise<Map<string, HostTensor>> {
    const options = {
      mesh,
      batch: BATCH / MICROBATCHES,
      output: 'loss',
      lossDivisor: BATCH,
      parameterType: 'f64',
      computeType: 'f64',
      gradientType: 'f64',
      activations: 'width',
    } as const;
    const program = lowerTrainingStep(forward(SMALL_VIT, options), {
      microbatches: MICROBATCHES,
      optimizer: DEFAULT_ADAMW,
    });
    const pool = await createPool(mesh);
    pools.push(pool);
    await pool.load('step', program);
    await pool.initialize(7);
    const feeds =
      (step: number) =>
      (rank: number): Feeds => ({
        'learning-rate': 0.01,
        step,
        ...Object.fromEntries(
          program.inputs.flatMap((input) => {
            if (input.kind !== 'data' || (input.name !== 'images' && input.name !== 'labels')) return [];
            const { type } = program.values[input.value]!;
            return [
              [input.name, Array.from({ length: MICROBATCHES }, (_, index) => dataShard(mesh, rank, type, index))],
            ];
          }),
        ),
      });
    const result = new Map<string, HostTensor>();
    for (let step = 1; step <= 2; step++) {
      const { outputs } = await pool.run('step', { feeds: feeds(step), outputs: ['loss'] });
      for (const output of outputs) expect(output.loss).toEqual(outputs[0]!.loss);
      result.set(`loss ${step}`, outputs[0]!.loss as HostTensor);
    }
    for (const input of program.inputs) {
      if (!isState(input)) continue;
      const { type } = program.values[input.value]!;
      const owner = program.inputs.find(
        (other) =>
          other.kind === 'parameter' && other.name === (input.kind === 'optimizer' ? input.parameter : input.name),
      );
      const segments = owner?.kind === 'parameter' ? owner.segments : undefined;
      const shards = await pool.readState(stateKey(input));
      for (let layer = 0; layer < (type.stack ?? 1); layer++) {
        const elements = shards.map((shard) => (type.stack === undefined ? shard : shard[layer]) as HostTensor);
        result.set(`${stateKey(input)} ${layer}`, assembleGlobal(mesh, elements, type, segments));
      }
    }
    return result;
  }

  /** The same whole batch for every mesh. */
  function dataShard(mesh: Mesh, rank: number, type: Parameters<typeof cutShard>[3], microbatch: number): HostTensor {
    const shards = mesh.axes.filter(({ name }) => typeof type.states[name] === 'number');
    const length = shards.reduce((product, { size }) => product * size, elementCount(type.shape));
    const whole = counting(length, microbatch, 'f32', (value) => (value + 500) / 1009);
    return cutShard(mesh, rank, whole, type);
  }

  it('does the same on one rank and on four, whichever axes they are on', async () => {
    const alone = await train(single);
    for (const sizes of [{ data: 2, model: 2 }, { data: 4 }, { model: 4 }]) {
      const mesh = createMesh(sizes);
      expect(rankCount(mesh)).toBe(4);
      const together = await train(mesh);
      expect([...together.keys()]).toEqual([...alone.keys()]);
      for (const [key, value] of together) expect(relativeError(value, alone.get(key)!), key).toBeLessThan(1e-9);
    }
  });
});
