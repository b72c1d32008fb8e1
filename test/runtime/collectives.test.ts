import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Mesh } from '../../src/mesh/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Attributes, CollectiveName, DType, Program, ValueType } from '../../src/program/index.js';
import { collectiveBytes, elementCount, unstacked } from '../../src/program/index.js';
import { assembleGlobal } from '../../src/runtime/index.js';
import type { DevicePool } from '../../src/runtime/index.js';
import type { HostTensor } from '../../src/runtime/kernels/family.js';
import { collectiveProgram, counting, createPool, tensorType } from './support.js';

const DIMENSIONS = [0, 1, 2];

// Rings of 1 KiB: most of the messages here are larger.
describe.each([2, 3, 4, 5])('collectives over %i ranks', (size) => {
  const mesh: Mesh = createMesh({ data: size });
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  let pool: DevicePool;
  beforeAll(async () => (pool = await createPool(mesh, { ringBytes: 1024 })));
  afterAll(() => pool.close());

  interface Ran {
    readonly program: Program;
    readonly before: HostTensor[];
    readonly after: HostTensor[];
    readonly resultType: ValueType;
  }

  /** Runs a collective on tensors of `type`, checks the bytes it sent, and gives what went in and came out by rank. */
  async function run<N extends CollectiveName>(name: N, attributes: Attributes[N], type: ValueType): Promise<Ran> {
    const key = JSON.stringify([name, attributes, type]);
    const program = collectiveProgram(mesh, name, attributes, [type], key);
    await pool.load(key, program);
    const before = ranks.map((rank) => counting(elementCount(type.shape), rank, type.dtype));
    await pool.setState(`parameter:${key}0`, before);
    const sentBefore = pool.bytesSent();
    const { outputs, spans } = await pool.run(key, { outputs: ['gradient:0'] });
    const expected = collectiveBytes(name, [type], size);
    const sent = pool
      .bytesSent()
      .map((channel, index) => ({ ...channel, sent: channel.sent - sentBefore[index]!.sent }));
    for (const rank of ranks) {
      const fromRank = sent.filter(({ from }) => from === rank).reduce((total, channel) => total + channel.sent, 0);
      expect(fromRank).toBe(expected);
      expect(spans[rank]).toMatchObject([
        { id: name, kind: 'collective', name, rank, sentBytes: expected, axis: attributes.axis },
      ]);
    }
    const after = outputs.map((output) => output['gradient:0'] as HostTensor);
    return { program, before, after, resultType: unstacked(program.values[program.outputs[0]!.value]!.type) };
  }

  const cases = (['f32', 'f64'] as DType[]).flatMap((dtype) => DIMENSIONS.map((dimension) => ({ dtype, dimension })));
  const shape = [size, 2 * size, 4 * size];

  it.each(cases)('all_gather of $dtype joins the shards along dimension $dimension', async ({ dtype, dimension }) => {
    const type = tensorType(shape, { data: dimension }, dtype);
    const { before, after } = await run('all_gather', { axis: 'data', dimensions: [dimension] }, type);
    const whole = assembleGlobal(mesh, before, type);
    for (const result of after) expect(result).toEqual(whole);
  });

  it.each(cases)(
    'reduce_scatter of $dtype deals out the sum along dimension $dimension',
    async ({ dtype, dimension }) => {
      const type = tensorType(shape, { data: 'partial' }, dtype);
      const { before, after, resultType } = await run(
        'reduce_scatter',
        { axis: 'data', dimensions: [dimension] },
        type,
      );
      expect(assembleGlobal(mesh, after, resultType)).toEqual(assembleGlobal(mesh, before, type));
    },
  );

  it.each(cases)('all_to_all of $dtype from dimension $dimension keeps the whole', async ({ dtype, dimension }) => {
    for (const to of DIMENSIONS.filter((other) => other !== dimension)) {
      const type = tensorType(shape, { data: dimension }, dtype);
      const { before, after, resultType } = await run('all_to_all', { axis: 'data', from: dimension, to }, type);
      expect(assembleGlobal(mesh, after, resultType)).toEqual(assembleGlobal(mesh, before, type));
    }
  });

  it.each(['f32', 'f64'] as DType[])('permute of %s moves values around the ring', async (dtype) => {
    for (const shift of [1, -1, size + 1]) {
      const { before, after } = await run('permute', { axis: 'data', shifts: [shift] }, tensorType(shape, {}, dtype));
      ranks.forEach((rank) => expect(after[(((rank + shift) % size) + size) % size]).toEqual(before[rank]));
    }
  });

  it('all_gather and reduce_scatter take tensors of any shape, dimension and type in one launch', async () => {
    const dims = [1, 0, 2, 0];
    const dtypes = ['f32', 'f64', 'f32', 'f32'] as const;
    const shapes = [shape, [size, 3], [2, size, size], [3 * size]];
    for (const name of ['all_gather', 'reduce_scatter'] as const) {
      const types = shapes.map((sizes, index) => {
        const type = tensorType(sizes, { data: name === 'all_gather' ? dims[index]! : 'partial' }, dtypes[index]);
        // One of them is a stack: its elements are tensors like any other.
        return index === 1 ? { ...type, stack: 2 } : type;
      });
      const program = collectiveProgram(mesh, name, { axis: 'data', dimensions: dims }, types, `many ${name}`);
      await pool.load(name, program);
      const before = types.map((type, index) =>
        Array.from({ length: type.stack ?? 1 }, (_, element) =>
          ranks.map((rank) => counting(elementCount(type.shape), 10 * index + element + 3 * rank, type.dtype)),
        ),
      );
      for (const [index, elements] of before.entries()) {
        const values = ranks.map((rank) => elements.map((byRank) => byRank[rank]!));
        const isStack = types[index]!.stack !== undefined;
        await pool.setState(`parameter:many ${name}${index}`, isStack ? values : values.map((list) => list[0]!));
      }
      const outputNames = types.map((_, index) => `gradient:${index}`);
      const { outputs, spans } = await pool.run(name, { outputs: outputNames });
      for (const list of spans)
        expect(list.map(({ sentBytes }) => sentBytes)).toEqual([collectiveBytes(name, types, size)]);
      before.forEach((elements, index) =>
        elements.forEach((byRank, element) => {
          const whole = assembleGlobal(mesh, byRank, types[index]!);
          const after = outputs.map((output) => [output[`gradient:${index}`]!].flat()[element] as HostTensor);
          const result = unstacked(program.values[program.outputs[index]!.value]!.type);
          if (name === 'all_gather') for (const tensor of after) expect(tensor).toEqual(whole);
          else expect(assembleGlobal(mesh, after, result)).toEqual(whole);
        }),
      );
    }
  });

  it('permute takes tensors that go different ways, token ids among them', async () => {
    const types = (['f32', 'i32', 'f32', 'f64', 'f32', 'bf16'] as const).map((dtype, index) =>
      tensorType([5 + index], {}, dtype),
    );
    const shifts = [1, 1, -1, 0, 1, 2];
    await pool.load('ways', collectiveProgram(mesh, 'permute', { axis: 'data', shifts }, types, 'ways'));
    const before = types.map(({ shape: [length], dtype }) => ranks.map((rank) => counting(length!, rank, dtype)));
    for (const [index, values] of before.entries()) await pool.setState(`parameter:ways${index}`, values);
    const { outputs } = await pool.run('ways', { outputs: types.map((_, index) => `gradient:${index}`) });
    shifts.forEach((shift, index) =>
      ranks.forEach((rank) => {
        const target = outputs[(rank + shift + size) % size]!;
        expect(target[`gradient:${index}`]).toEqual(before[index]![rank]);
      }),
    );
  });

  it('all_reduce sums every operand, of any size and type, to the same bits on all ranks', async () => {
    const types = [
      tensorType([7], { data: 'partial' }, 'f32'),
      tensorType([], { data: 'partial' }, 'f64'),
      tensorType([13, 31], { data: 'partial' }, 'f32'),
      tensorType([11, 17], { data: 'partial' }, 'f64'),
    ];
    await pool.load('all_reduce', collectiveProgram(mesh, 'all_reduce', { axis: 'data' }, types, 'reduced'));
    const shards = types.map(({ shape: sizes, dtype }) =>
      // Not exact in binary: another order of summation would show.
      ranks.map((rank) => counting(elementCount(sizes), rank, dtype, (value) => value / 3 + rank / 7)),
    );
    for (const [index, values] of shards.entries()) await pool.setState(`parameter:reduced${index}`, values);
    const names = types.map((_, index) => `gradient:${index}`);
    const { outputs } = await pool.run('all_reduce', { outputs: names });
    types.forEach((type, index) => {
      const [first, ...others] = outputs.map((output) => output[`gradient:${index}`] as HostTensor);
      for (const other of others) expect(other).toEqual(first);
      const expected = assembleGlobal(mesh, shards[index]!, type);
      first!.forEach((value, at) => expect(value).toBeCloseTo(expected[at]!, type.dtype === 'f64' ? 10 : 2));
    });
  });

  it('all_reduce sends what the closed form says', async () => {
    await run('all_reduce', { axis: 'data' }, tensorType([size, 60], { data: 'partial' }, 'f64'));
  });
});
