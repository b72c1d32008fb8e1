/** Regions as the executor runs them: parts of stacks, ops issued early, and rings written out by hand. */
import { afterEach, describe, expect, it } from 'vitest';
import { interpret } from '../helpers/interpret.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Mesh } from '../../src/mesh/index.js';
import { Builder, elementCount, fuse, unstacked, verify } from '../../src/program/index.js';
import type { Op, Program, Region, ValueId } from '../../src/program/index.js';
import type { DevicePool } from '../../src/runtime/index.js';
import { assembleGlobal } from '../../src/runtime/index.js';
import type { HostTensor } from '../../src/runtime/kernels/family.js';
import { seconds } from '../../src/units.js';
import { counting, createPool, createSingleRank, parameter, tensorType } from './support.js';

const pools: DevicePool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

const forward = 'forward' as const;
const at = (id: string) => ({ id, phase: forward });
const scalar = tensorType([]);

interface RepeatParts {
  readonly count: number;
  readonly first?: number;
  readonly reverse?: boolean;
  readonly carried: readonly ValueId[];
  readonly stacked: readonly ValueId[];
  readonly ahead?: { readonly by: number; readonly ops: readonly Op[] };
}

/** A repeat with all that the builder's own does not offer. @returns its results, carried first */
function pushRepeat(builder: Builder, id: string, parts: RepeatParts, region: Omit<Region, 'ahead'>): ValueId[] {
  const { count, first, reverse = false, carried, stacked, ahead } = parts;
  const results = region.results.map((value, index) => {
    const type = builder.type(value);
    return builder.value(index < carried.length ? type : { ...type, stack: count }, 'activation');
  });
  builder.push({
    name: 'repeat',
    ...at(id),
    operands: [...carried, ...stacked],
    results,
    attributes: { count, carried: carried.length, reverse, ...(first !== undefined && { first }) },
    region: { ...region, ...(ahead && { ahead }) },
  });
  return results;
}

describe('parts of a stack', () => {
  /** c ← 2c + w[i] over five layers, in the parts that begin at `firsts`; the last c and the stack of all of them. */
  function recurrence(firsts: readonly number[], reverse: boolean): Program {
    const builder = new Builder(createMesh({}));
    const start = parameter(builder, 'start', scalar);
    const weights = parameter(builder, 'weights', { ...scalar, stack: 5 });
    const ranges = firsts.map((first, index) => ({ first, count: (firsts[index + 1] ?? 5) - first }));
    let carried = start.value;
    const stacks: ValueId[] = [];
    for (const range of reverse ? ranges.toReversed() : ranges) {
      const [c, w] = [builder.value(scalar, 'activation'), builder.value(scalar, 'parameter')];
      const { ops, result } = builder.block(() => {
        const twice = builder.emit('scale', [c], { factor: 2 }, at(`twice/${range.first}`));
        return builder.emit('add', [twice, w], {}, at(`add/${range.first}`));
      });
      const parts = { ...range, reverse, carried: [carried], stacked: [weights.value] };
      const made = pushRepeat(builder, `part/${range.first}`, parts, { args: [c, w], ops, results: [result, result] });
      carried = made[0]!;
      stacks.push(made[1]!);
    }
    const joined = builder.value({ ...scalar, stack: 5 }, 'activation');
    const operands = reverse ? stacks.toReversed() : stacks;
    builder.push({ name: 'join_stacks', ...at('join'), operands, results: [joined], attributes: {} });
    const outputs = [carried, joined].map((value, index) => ({ name: `gradient:${index}`, value }));
    return fuse(verify(builder.finish([start.input, weights.input], outputs)));
  }

  it.each([false, true])('run like the whole and join to its stack, reverse %s', async (reverse) => {
    const weights = [3, 1, 4, 1, 5].map((value) => Float64Array.of(value));
    const run = async (firsts: readonly number[]) => {
      const rank = createSingleRank();
      const program = recurrence(firsts, reverse);
      await rank.load('recurrence', program);
      rank.setState('parameter:start', Float64Array.of(1));
      rank.setState('parameter:weights', weights);
      const { outputs, spans } = await rank.run('recurrence', {}, ['gradient:0', 'gradient:1'], seconds(0));
      const [start, stack] = program.inputs.map(({ value }) => value) as [ValueId, ValueId];
      const interpreted = interpret(
        program,
        new Map<ValueId, HostTensor | HostTensor[]>([
          [start, Float64Array.of(1)],
          [stack, weights],
        ]),
      );
      expect(outputs).toEqual(Object.fromEntries(interpreted));
      return { outputs, elements: spans.map(({ id }) => id.split('@')[1]) };
    };
    const whole = await run([0]);
    expect(whole.elements).toEqual(reverse ? ['4', '3', '2', '1', '0'] : ['0', '1', '2', '3', '4']);
    expect(await run([0, 2])).toEqual(whole);
    expect(await run([0, 1, 4])).toEqual(whole);
  });
});

describe('ops issued ahead', () => {
  const LAYERS = 5;
  const mesh = createMesh({ data: 2 });

  /** x ← x · W[i] + b[i], where W is gathered in time: `by` iterations early, or (0) where it is used. */
  function gathered(by: number, reverse: boolean): Program {
    const builder = new Builder(mesh);
    const x = parameter(builder, 'x', tensorType([1, 4]));
    const weights = parameter(builder, 'weights', { ...tensorType([2, 4], { data: 0 }), stack: LAYERS });
    const biases = parameter(builder, 'biases', { ...tensorType([1, 4]), stack: LAYERS });
    const [c, w, b] = [x, weights, biases].map(({ value }) =>
      builder.value(unstacked(builder.type(value)), 'activation'),
    ) as [ValueId, ValueId, ValueId];
    const gathers = builder.block(() => {
      const half = builder.emit('scale', [w], { factor: 0.5 }, at('half'));
      return builder.emit(
        'all_gather',
        [half],
        { axis: 'data', dimensions: [0] },
        { ...at('gather'), asynchronous: true },
      );
    });
    const { ops, result } = builder.block(() => {
      const attributes = { transposeA: false, transposeB: false, scale: 1 };
      const product = builder.emit('matmul', [c, gathers.result], attributes, at('matmul'));
      return builder.emit('add', [product, b], {}, at('add'));
    });
    const ahead = by === 0 ? {} : { ahead: { by, ops: gathers.ops } };
    const parts = { count: LAYERS, reverse, carried: [x.value], stacked: [weights.value, biases.value], ...ahead };
    const all = by === 0 ? [...gathers.ops, ...ops] : ops;
    const [last] = pushRepeat(builder, 'layers', parts, { args: [c, w, b], ops: all, results: [result] });
    const inputs = [x.input, weights.input, biases.input];
    return fuse(verify(builder.finish(inputs, [{ name: 'logits', value: last! }])));
  }

  it.each([
    [1, false],
    [1, true],
    [3, false],
    [3, true],
    [LAYERS + 2, false],
  ])('by %i change when, not what: reverse %s', async (by, reverse) => {
    const pool = await createPool(mesh, { ringBytes: 64 });
    pools.push(pool);
    const run = async (early: number) => {
      await pool.load(`by ${early}`, gathered(early, reverse));
      await pool.setState(
        'parameter:x',
        [0, 1].map(() => counting(4, 0, 'f64')),
      );
      const layers = (length: number, rank: number) =>
        Array.from({ length: LAYERS }, (_, layer) => counting(length, 3 * layer + rank, 'f64'));
      await pool.setState(
        'parameter:weights',
        [0, 1].map((rank) => layers(8, rank)),
      );
      await pool.setState(
        'parameter:biases',
        [0, 1].map(() => layers(4, 9)),
      );
      return pool.run(`by ${early}`, { outputs: ['logits'] });
    };
    const [late, early] = [await run(0), await run(by)];
    expect(early.outputs).toEqual(late.outputs);
    const element = (iteration: number): number => (reverse ? LAYERS - 1 - iteration : iteration);
    for (const spans of early.spans) {
      const span = (name: string, iteration: number) =>
        spans.find(({ id }) => id.startsWith(name) && id.endsWith(`@${element(iteration)}`))!;
      for (let iteration = 0; iteration < LAYERS; iteration++) {
        const { start } = span('gather', iteration);
        // Before the ops of the iteration that is `by` before it, or when the gather before it is done; not earlier.
        const turn = iteration === 0 ? 0 : span('gather', iteration - 1).end;
        expect(start).toBeLessThanOrEqual(Math.max(turn, span('matmul', Math.max(iteration - by, 0)).start));
        if (iteration > by) expect(start).toBeGreaterThanOrEqual(span('matmul', iteration - by - 1).end);
      }
    }
  });
});

describe('a manual region', () => {
  const SIZE = 4;
  const mesh: Mesh = createMesh({ model: SIZE });
  const [rows, inner, columns] = [2, 3, 5];

  /** all_gather(x, 0) · w, as one op and as a ring whose shards are multiplied as they come by. */
  function program(byHand: boolean): Program {
    const builder = new Builder(mesh);
    const x = parameter(builder, 'x', tensorType([rows, inner], { model: 0 }));
    const w = parameter(builder, 'w', tensorType([inner, columns]));
    const attributes = { transposeA: false, transposeB: false, scale: 1 };
    const matmul = (a: ValueId, b: ValueId, id: string) => builder.emit('matmul', [a, b], attributes, at(id));
    const finish = (value: ValueId) => fuse(verify(builder.finish([x.input, w.input], [{ name: 'logits', value }])));
    if (!byHand) {
      const whole = builder.emit('all_gather', [x.value], { axis: 'model', dimensions: [0] }, at('gather'));
      return finish(matmul(whole, w.value, 'matmul'));
    }
    const place = { axis: 'model', dimension: 0, offset: 0, stride: 1 } as const;
    const shardType = tensorType([rows, inner]);
    const [mine, weights] = [builder.value(shardType, 'activation'), builder.value(builder.type(w.value), 'parameter')];
    // Sent to the rank before, so that the shard held in step i is that of the rank i places further.
    const pass = (value: ValueId, id: string) =>
      builder.emit('permute', [value], { axis: 'model', shifts: [-1] }, { ...at(id), asynchronous: true });
    const { ops, result } = builder.block(() => {
      const next = pass(mine, 'pass');
      const begun = builder.emit('put', [matmul(mine, weights, 'product')], place, at('put'));
      const [held, whole] = [builder.value(shardType, 'activation'), builder.value(builder.type(begun), 'activation')];
      const body = builder.block(() => {
        const after = pass(held, 'step/pass');
        const put = builder.emit('put', [matmul(held, weights, 'step/product'), whole], place, at('step/put'));
        return [after, put];
      });
      const parts = { count: SIZE - 1, first: 1, carried: [next, begun], stacked: [] };
      return pushRepeat(builder, 'ring', parts, { args: [held, whole], ops: body.ops, results: body.result })[1]!;
    });
    const product = builder.value(builder.type(result), 'activation');
    builder.push({
      name: 'manual',
      ...at('overlap'),
      operands: [x.value, w.value],
      results: [product],
      attributes: { axis: 'model' },
      region: { args: [mine, weights], ops, results: [result] },
    });
    return finish(product);
  }

  it('with a ring of transfers and products does what gathering and one product do', async () => {
    const pool = await createPool(mesh, { ringBytes: 64 });
    pools.push(pool);
    const run = async (byHand: boolean) => {
      await pool.load(`${byHand}`, program(byHand));
      const ranks = Array.from({ length: SIZE }, (_, rank) => rank);
      await pool.setState(
        'parameter:x',
        ranks.map((rank) => counting(rows * inner, rank, 'f64')),
      );
      await pool.setState(
        'parameter:w',
        ranks.map(() => counting(inner * columns, 7, 'f64')),
      );
      return (await pool.run(`${byHand}`, { outputs: ['logits'] })).outputs;
    };
    const gathered = await run(false);
    expect((gathered[0]!['logits'] as HostTensor).length).toBe(SIZE * rows * columns);
    expect(await run(true)).toEqual(gathered);
  });

  it.each([0, 1])('takes the blocks along dimension %i that the ranks further on hold', async (dimension) => {
    const builder = new Builder(mesh);
    const type = tensorType([2 * SIZE, 3 * SIZE]);
    const x = parameter(builder, 'x', type);
    const whole = builder.value(type, 'activation');
    const { ops, result } = builder.block(() => {
      const block = builder.emit('take', [whole], { axis: 'model', dimension, offset: 1, stride: 0 }, at('take'));
      const back = builder.emit('take', [whole], { axis: 'model', dimension, offset: -1, stride: 0 }, at('back'));
      const [next] = builder.emitAll('permute', [back], { axis: 'model', shifts: [2] }, at('permute'));
      return [block, next!];
    });
    const results = result.map((id) =>
      builder.value({ ...builder.type(id), states: { model: dimension } }, 'activation'),
    );
    builder.push({
      name: 'manual',
      ...at('blocks'),
      operands: [x.value],
      results,
      attributes: { axis: 'model' },
      region: { args: [whole], ops, results: result },
    });
    const outputs = results.map((value, index) => ({ name: `gradient:${index}`, value }));
    const pool = await createPool(mesh);
    pools.push(pool);
    await pool.load('blocks', verify(builder.finish([x.input], outputs)));
    const value = counting(elementCount(type.shape), 0, 'f64');
    await pool.setState(
      'parameter:x',
      Array.from({ length: SIZE }, () => value),
    );
    const ran = await pool.run('blocks', { outputs: ['gradient:0', 'gradient:1'] });
    const parts = ran.outputs.map((output) => output['gradient:0'] as HostTensor);
    // Rank r holds block r + 1; put in their own order they are the whole again.
    const ordered = parts.map((_, rank) => parts[(rank + SIZE - 1) % SIZE]!);
    const shardType = builder.type(results[0]!);
    expect(assembleGlobal(mesh, ordered, shardType)).toEqual(value);
    // What came two places further was taken one place before: block r − 3 = r + 1.
    expect(ran.outputs.map((output) => output['gradient:1'])).toEqual(parts);
  });
});
