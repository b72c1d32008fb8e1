/** Which op is named where a number is not finite: the first that made one of numbers that were. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import { Builder, fuse, verify } from '../../src/program/index.js';
import type { Phase, Program } from '../../src/program/index.js';
import type { DevicePool, Inspection } from '../../src/runtime/index.js';
import { createPool, parameter, tensorType } from './support.js';

const mesh = createMesh({ data: 2 });
const pools: DevicePool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

const LARGE = 1e200;

/**
 * Squares of squares of parameter x on each rank, their sum over both ranks, and that of data y, in one step: rank 1 alone
 * can be made to overflow, and the sum gives it to rank 0.
 */
function program(phase: Phase): Program {
  const builder = new Builder(mesh);
  const x = parameter(builder, 'x', tensorType([4], { data: 0 }));
  const y = builder.value(tensorType([4]), 'input', 'y');
  const at = (id: string) => ({ id, phase });
  const half = builder.emit('scale', [x.value], { factor: 0.5 }, at('half'));
  const squared = builder.emit('multiply', [half, half], {}, at('squared'));
  const again = builder.emit('scale', [squared], { factor: 1 }, at('again'));
  const sum = builder.emit('all_gather', [again], { axis: 'data', dimensions: [0] }, at('gathered'));
  const after = builder.emit('scale', [sum], { factor: 2 }, at('after'));
  const other = builder.emit('scale', [y], { factor: 2 }, at('other'));
  return verify(
    builder.finish(
      [x.input, { kind: 'data', name: 'images', value: y }],
      [
        { name: 'loss', value: after },
        { name: 'other', value: other },
      ],
    ),
  );
}

async function inspect(lowered: Program, x: readonly [number, number], y: number, inspection: Inspection = 'all') {
  const pool = await createPool(mesh);
  pools.push(pool);
  await pool.load('step', lowered);
  await pool.setState(
    'parameter:x',
    x.map((value) => Float64Array.of(1, 2, value, 3)),
  );
  const feeds = (rank: number) => ({ images: Float64Array.of(1, 1, 1, rank === 1 ? y : 1) });
  const { nonFinite, outputs } = await pool.run('step', { feeds, outputs: ['loss'], inspection });
  return { nonFinite, outputs };
}

describe.each(['forward', 'backward', 'optimizer'] as const)('in the %s part of a step', (phase) => {
  it('the op is named that made it, on the rank that did, however many got it from there', async () => {
    const { nonFinite, outputs } = await inspect(program(phase), [1, LARGE], 1);
    expect(outputs[0]!['loss']).toContain(Infinity);
    expect(nonFinite).toMatchObject({
      ...{ kind: 'kernel', place: 'squared', name: 'multiply', phase, rank: 1 },
      ...{ value: Infinity, index: 2, count: 1, elements: 4, operands: [LARGE / 2] },
    });
  });

  it('the op is named in a kernel of several', async () => {
    const fused = fuse(program(phase));
    expect(fused.ops.some(({ name }) => name === 'kernel')).toBe(true);
    const { nonFinite } = await inspect(fused, [LARGE, 1], 1);
    expect(nonFinite).toMatchObject({ kind: 'kernel', place: 'squared', name: 'multiply', phase, rank: 0, index: 2 });
  });
});

it('data that are not finite are named as data', async () => {
  const { nonFinite } = await inspect(program('forward'), [1, 1], NaN);
  expect(nonFinite).toMatchObject({ kind: 'data', place: 'images', rank: 1, value: NaN, index: 3, count: 1 });
});

it('state that is not finite before the step is named as what it is', async () => {
  const { nonFinite } = await inspect(program('forward'), [NaN, 1], 1);
  expect(nonFinite).toMatchObject({ kind: 'state', place: 'x', rank: 0, value: NaN });
});

it('where all is finite nothing is named, and results are what they are without a look', async () => {
  const looked = await inspect(program('forward'), [5, 7], 1);
  expect(looked.nonFinite).toBeUndefined();
  const pool = pools.at(-1)!;
  const feeds = () => ({ images: Float64Array.of(1, 1, 1, 1) });
  expect((await pool.run('step', { feeds, outputs: ['loss'] })).outputs).toEqual(looked.outputs);
});

it('where gradients may overflow only the forward pass is looked at', async () => {
  expect((await inspect(program('backward'), [1, LARGE], 1, 'forward')).nonFinite).toBeUndefined();
  expect((await inspect(program('forward'), [1, LARGE], 1, 'forward')).nonFinite).toMatchObject({ place: 'squared' });
});

it('a sum of ranks that is too large is named as the collective', async () => {
  const builder = new Builder(mesh);
  const x = parameter(builder, 'x', tensorType([4], { data: 'partial' }));
  const y = builder.value(tensorType([4]), 'input', 'y');
  const sum = builder.emit('all_reduce', [x.value], { axis: 'data' }, { id: 'sum', phase: 'reduce' });
  const lowered = verify(
    builder.finish([x.input, { kind: 'data', name: 'images', value: y }], [{ name: 'loss', value: sum }]),
  );
  const { nonFinite } = await inspect(lowered, [1.5e308, 1.5e308], 1);
  expect(nonFinite).toMatchObject({ kind: 'collective', place: 'sum', name: 'all_reduce', value: Infinity });
});
