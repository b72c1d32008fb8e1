/** Asynchronous collectives on ranks of their own threads: the same answers, whatever is under way at a time. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { createMesh, rankCount } from '../../src/mesh/index.js';
import { Builder, countCollectiveBytes, elementCount, verify } from '../../src/program/index.js';
import type { Program, ValueId } from '../../src/program/index.js';
import type { DevicePool } from '../../src/runtime/index.js';
import { createClock } from '../../src/runtime/clock.js';
import { Rank } from '../../src/runtime/index.js';
import type { KernelFamily } from '../../src/runtime/kernels/family.js';
import { createReferenceFamily } from '../../src/runtime/kernels/reference/index.js';
import { createTransportMemory, traffic, Transport } from '../../src/runtime/transport/index.js';
import { counting, createPool, parameter, tensorType } from './support.js';

const pools: DevicePool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

async function poolOf(mesh: Mesh, options: Parameters<typeof createPool>[1] = {}): Promise<DevicePool> {
  const pool = await createPool(mesh, options);
  pools.push(pool);
  return pool;
}

const square = createMesh({ data: 2, model: 2 });
const SIDE = 4;
/** What values of these programs are like along the axes: sums pending over one, cut along one, or the same on all. */
const STATES = [{}, { data: 'partial' }, { model: 'partial' }, { data: 0 }, { model: 1 }] as const;
const TYPES = STATES.map((states) =>
  tensorType([SIDE, SIDE], states, 'data' in states && states.data === 0 ? 'f32' : 'f64'),
);

interface Choice {
  readonly kind: 'scale' | 'add' | 'permute' | 'all_reduce' | 'all_gather' | 'reduce_scatter';
  readonly axis: AxisName;
  readonly picks: readonly number[];
}

const choice = fc.record<Choice>({
  kind: fc.constantFrom('scale', 'add', 'permute', 'all_reduce', 'all_gather', 'reduce_scatter'),
  axis: fc.constantFrom('data', 'model'),
  picks: fc.array(fc.nat(1000), { minLength: 1, maxLength: 3 }),
});

/**
 * Emits what the choices say as far as it can be had from `pool`, which it adds results to.
 *
 * @param at where the ops are, for their ids
 */
function emit(builder: Builder, choices: readonly Choice[], pool: ValueId[], at: string, asynchronous: boolean): void {
  choices.forEach(({ kind, axis, picks }, index) => {
    const options = { id: `${at}/${index}/${kind}`, phase: 'forward' as const };
    const having = (test: (id: ValueId) => boolean): ValueId[] => {
      const found = pool.filter(test);
      return found.length === 0 ? [] : picks.map((pick) => found[pick % found.length]!);
    };
    const started = { ...options, asynchronous };
    const [any] = having(() => true);
    const same = JSON.stringify(builder.type(any!));
    const whole = (id: ValueId): boolean => elementCount(builder.type(id).shape) === SIDE * SIDE;
    if (kind === 'scale') pool.push(builder.emit('scale', [any!], { factor: 0.75 }, options));
    else if (kind === 'add') {
      const other = having((id) => JSON.stringify(builder.type(id)) === same).at(-1)!;
      pool.push(builder.emit('add', [any!, other], {}, options));
    } else if (kind === 'permute') {
      const shifts = picks.map((pick) => pick % 3);
      pool.push(
        ...builder.emitAll(
          'permute',
          having(() => true),
          { axis, shifts },
          started,
        ),
      );
    } else if (kind === 'all_gather') {
      const dimension = axis === 'data' ? 0 : 1;
      const operands = having((id) => builder.type(id).states[axis] === dimension && whole(id));
      const dimensions = operands.map(() => dimension);
      if (operands.length > 0) pool.push(...builder.emitAll('all_gather', operands, { axis, dimensions }, started));
    } else {
      const operands = having((id) => builder.type(id).states[axis] === 'partial' && whole(id));
      if (operands.length === 0) return;
      const dimensions = operands.map((_, position) => (picks[position]! % 2 === 0 ? 0 : 1));
      pool.push(
        ...(kind === 'all_reduce'
          ? builder.emitAll('all_reduce', operands, { axis }, started)
          : builder.emitAll('reduce_scatter', operands, { axis, dimensions }, started)),
      );
    }
  });
}

/** A block, a repeat whose carried values and stacks may be on their way, and another block; everything is an output. */
function program(blocks: readonly (readonly Choice[])[], asynchronous: boolean): Program {
  const builder = new Builder(square);
  const inputs = TYPES.map((type, index) => parameter(builder, `x${index}`, type));
  const pool = inputs.map(({ value }) => value);
  emit(builder, blocks[0]!, pool, 'before', asynchronous);
  const before = [...pool];
  const { carried, stacked } = builder.repeat(
    { id: 'layers', phase: 'forward', count: 3, carried: inputs.map(({ value }) => value), stacked: [] },
    (body) => {
      const inside = [...body.carried, ...before.slice(-2)];
      emit(builder, blocks[1]!, inside, 'layer', asynchronous);
      // The latest of each type, which may be what a collective is still to bring.
      const next = TYPES.map((type) =>
        inside.findLast((id) => JSON.stringify(builder.type(id)) === JSON.stringify(type))!,
      );
      return { carried: next, stacked: inside.slice(-2) };
    },
  );
  pool.push(...carried);
  emit(builder, blocks[2]!, pool, 'after', asynchronous);
  const outputs = [...pool, ...stacked].map((value, index) => ({ name: `gradient:${index}`, value }));
  const made = builder.finish(
    inputs.map(({ input }) => input),
    outputs,
  );
  return verify(made);
}

const pair = createMesh({ data: 2 });
const LENGTH = 1000;

/** The sum of `x` over the ranks, started before a scale of it that does not need the sum. */
function summed(): Program {
  const builder = new Builder(pair);
  const x = parameter(builder, 'x', tensorType([LENGTH], { data: 'partial' }));
  const step = builder.value(tensorType([]), 'input', 'step');
  const at = (id: string) => ({ id, phase: 'forward' as const });
  const sum = builder.emit('all_reduce', [x.value], { axis: 'data' }, { ...at('sum'), asynchronous: true });
  const scaled = builder.emit('scale', [x.value], { factor: 2 }, at('scale'));
  return verify(
    builder.finish(
      [x.input, { kind: 'data', name: 'step', value: step }],
      [sum, scaled].map((value, index) => ({ name: `gradient:${index}`, value })),
    ),
  );
}

describe('asynchronous collectives', () => {
  it.each([8, 16, 64])(
    'give the same bits and bytes synchronously and not, over rings of %i bytes',
    async (ringBytes) => {
      const pool = await poolOf(square, { ringBytes });
      let loaded = 0;
      const run = async (made: Program) => {
        const name = `program ${loaded++}`;
        await pool.load(name, made);
        for (const [index, type] of TYPES.entries()) {
          const values = Array.from({ length: rankCount(square) }, (_, rank) =>
            counting(SIDE * SIDE, rank, type.dtype, (value) => value / 3),
          );
          await pool.setState(`parameter:x${index}`, values);
        }
        const sentBefore = pool.bytesSent();
        const { outputs, spans } = await pool.run(name, { outputs: made.outputs.map((output) => output.name) });
        const sent = pool.bytesSent().map((channel, index) => channel.sent - sentBefore[index]!.sent);
        const inSpans = spans.flat().reduce((total, span) => total + (span.sentBytes ?? 0), 0);
        return { outputs, sent, inSpans, ids: spans.map((list) => list.map(({ id }) => id).sort()) };
      };
      const block = fc.array(choice, { maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(fc.tuple(block, block, block), async (blocks) => {
          const made = program(blocks, true);
          const [some, all] = [await run(made), await run(program(blocks, false))];
          expect(some).toEqual(all);
          const total = some.sent.reduce((sum, bytes) => sum + bytes, 0);
          expect(some.inSpans).toBe(total);
          // Shifts by nothing, or around the whole ring, move nothing.
          const counted = Object.values(countCollectiveBytes(made)).reduce((sum, bytes) => sum + bytes, 0);
          expect(total).toBeLessThanOrEqual(rankCount(square) * counted);
        }),
        { numRuns: 30 },
      );
    },
  );

  it('run beside kernels: one that is asynchronous ends after the kernels that were launched meanwhile', async () => {
    const pool = await poolOf(pair, { ringBytes: 64 });
    await pool.load('step', summed());
    await pool.initialize(1);
    const { spans } = await pool.run('step', { feeds: () => ({ step: 1 }) });
    for (const list of spans) {
      const [kernel, sum] = ['scale', 'sum'].map((id) => list.find((span) => span.id === id)!);
      expect(sum!.start).toBeLessThanOrEqual(kernel!.start);
      // Its ring holds a small part of it, so the peer has to be waited for, and no kernel does that.
      expect(sum!.end).toBeGreaterThanOrEqual(kernel!.end);
    }
  });

  it('go on while a kernel runs that leaves its thread free', async () => {
    // Both ranks on this thread: a kernel ends once all messages of the sum are sent, through rings of 64 bytes.
    const rings = createTransportMemory(pair, 2, { ringBytes: 64 });
    const all = countCollectiveBytes(summed()).data! * 2;
    const sent = (): number => traffic(rings).reduce((total, channel) => total + channel.sent, 0);
    const reference = createReferenceFamily();
    const family: KernelFamily = {
      ...reference,
      compile: async (spec) => {
        const kernel = await reference.compile(spec);
        return {
          run: async (operands, results) => {
            for (let turn = 0; sent() < all; turn++) {
              if (turn > 100_000) throw new Error(`${sent()} of ${all} bytes were sent meanwhile`);
              await new Promise((resolve) => setImmediate(resolve));
            }
            return kernel.run(operands, results);
          },
        };
      },
    };
    const clock = createClock();
    const ranks = [0, 1].map(
      (rank) => new Rank({ mesh: pair, rank, family, transport: new Transport(rings, rank), clock }),
    );
    const runs = ranks.map(async (rank, index) => {
      await rank.load('step', summed());
      rank.setState('parameter:x', counting(LENGTH, index, 'f64'));
      return rank.run('step', { step: 1 }, ['gradient:0', 'gradient:1'], clock());
    });
    const expected = counting(LENGTH, 0, 'f64').map((value, at) => value + counting(LENGTH, 1, 'f64')[at]!);
    for (const { outputs } of await Promise.all(runs)) expect(outputs['gradient:0']).toEqual(expected);
  });

  it('that wait for a rank that failed are stopped, and it is the one that is named', async () => {
    const pool = await poolOf(pair);
    await pool.load('step', summed());
    // Rank 1 has no state, so it fails before it starts anything.
    await pool.setState('parameter:x', [new Float64Array(LENGTH), new Float64Array(LENGTH)]);
    const feeds = (rank: number) => (rank === 0 ? { step: 1 } : {});
    await expect(pool.run('step', { feeds })).rejects.toMatchObject({
      code: 'RANK_FAILED',
      message: expect.stringMatching(/rank 1, inputs: .*feed step/),
    });
  });
});
