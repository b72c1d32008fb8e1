import { afterEach, expect, it } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import { Builder, verify } from '../../src/program/index.js';
import type { DType, Program } from '../../src/program/index.js';
import type { DevicePool } from '../../src/runtime/index.js';
import { stored } from '../../src/runtime/kernels/tensors.js';
import { createPool, parameter, tensorType } from './support.js';

const mesh = createMesh({ data: 2 });
const pools: DevicePool[] = [];
const pool = async (options: Parameters<typeof createPool>[1] = {}): Promise<DevicePool> => {
  const made = await createPool(mesh, options);
  pools.push(made);
  return made;
};
// A test that fails must not leave threads behind; closing twice is allowed.
afterEach(() => Promise.all(pools.splice(0).map((made) => made.close())));

/** loss = Σ over ranks of `images`, and `parameter:x` doubled; both ranks take part in the sum. */
function program(dtype: DType = 'f64'): Program {
  const builder = new Builder(mesh);
  const x = parameter(builder, 'x', tensorType([2], {}, dtype));
  const images = builder.value(tensorType([2], { data: 'partial' }, dtype), 'input', 'images');
  const at = (id: string) => ({ id, phase: 'forward' as const });
  const doubled = builder.emit('scale', [x.value], { factor: 2 }, at('double'));
  const loss = builder.emit('all_reduce', [images], { axis: 'data' }, at('sum'));
  return verify(
    builder.finish(
      [x.input, { kind: 'data', name: 'images', value: images }],
      [
        { name: 'loss', value: loss },
        { name: 'parameter:x', value: doubled },
      ],
    ),
  );
}

async function loaded(options: Parameters<typeof createPool>[1] = {}): Promise<DevicePool> {
  const made = await pool(options);
  await made.load('step', program());
  await made.setState('parameter:x', [Float64Array.of(1, 2), Float64Array.of(3, 4)]);
  return made;
}

it('feeds, outputs, state, spans and bytes are kept apart by rank', async () => {
  const ranks = await loaded();
  // The memory is shared and larger than the feed: the ranks take their own copy of their part.
  const shared = new Float32Array(new SharedArrayBuffer(16));
  shared.set([1, 2, 10, 20]);
  const feeds = (rank: number) => ({ images: shared.subarray(2 * rank, 2 * rank + 2) });
  for (let step = 0; step < 2; step++) {
    const { outputs, spans, seconds } = await ranks.run('step', { feeds, outputs: ['loss'] });
    expect(outputs).toEqual([{ loss: Float64Array.of(11, 22) }, { loss: Float64Array.of(11, 22) }]);
    spans.forEach((list, rank) => {
      expect(list.map(({ id, kind }) => `${kind} ${id}`)).toEqual(['host inputs', 'kernel double', 'collective sum']);
      expect(list[2]).toMatchObject({ rank, sentBytes: 16 });
      for (const { start, end } of list) {
        expect(start).toBeGreaterThanOrEqual(0);
        expect(seconds).toBeGreaterThanOrEqual(end);
      }
    });
  }
  expect(await ranks.readState('parameter:x')).toEqual([Float64Array.of(4, 8), Float64Array.of(12, 16)]);
  expect(ranks.bytesSent()).toEqual([
    { from: 0, to: 1, sent: 32 },
    { from: 1, to: 0, sent: 32 },
  ]);
});

it.each(['bf16', 'f16'] as const)('%s stays what it is between threads, two bytes an element', async (dtype) => {
  const halves = (...values: number[]) => stored(dtype, Float32Array.from(values));
  const ranks = await pool();
  await ranks.load('step', program(dtype));
  const state = [halves(0, 1, 2).subarray(1), halves(3, 4)];
  await ranks.setState('parameter:x', state);
  expect(await ranks.readState('parameter:x')).toEqual(state);
  // Not a half: the ranks round it.
  const feeds = [{ images: halves(0.5, 20) }, { images: Float32Array.of(1.0001, -7) }];
  const { outputs, spans } = await ranks.run('step', { feeds, outputs: ['loss'] });
  expect(outputs.map(({ loss }) => loss)).toEqual([halves(1.5, 13), halves(1.5, 13)]);
  expect(spans.map((list) => list[2]!.sentBytes)).toEqual([4, 4]);
  expect(await ranks.readState('parameter:x')).toEqual([halves(2, 4), halves(6, 8)]);
});

it('a rank that fails is named with op and cause, and the rank that waits for it is stopped', async () => {
  const ranks = await loaded();
  const feeds = (rank: number) => ({ images: new Float64Array(rank === 1 ? 3 : 2) });
  const failure = await ranks.run('step', { feeds }).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: 'RANK_FAILED',
    message: expect.stringMatching(/^RANK_FAILED at rank 1, inputs: .*feed images: expected 2 elements \[2\], got 3/),
    cause: { code: 'INTERNAL' },
  });
  // Its state is incomplete, so it does not run again.
  await expect(ranks.run('step', { feeds: [] })).rejects.toBe(failure);
  await ranks.close();
});

it('a run that is aborted rejects with the reason of the signal', async () => {
  const ranks = await loaded();
  const reason = new Error('not wanted any more');
  await expect(ranks.run('step', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const abort = new AbortController();
  const feeds = [{ images: new Float64Array(2) }, { images: new Float64Array(2) }];
  const run = ranks.run('step', { feeds, signal: abort.signal });
  // The flag is raised before the ranks have read their messages.
  abort.abort(reason);
  await expect(run).rejects.toBe(reason);
});

it('a program that a rank refuses is refused with its own code', async () => {
  const ranks = await pool({ family: 'onnx' });
  const builder = new Builder(mesh);
  const x = parameter(builder, 'x', tensorType([2], {}, 'f64'));
  const value = builder.emit('scale', [x.value], { factor: 2 }, { id: 'double', phase: 'forward' });
  const refused = builder.finish([x.input], [{ name: 'logits', value }]);
  await expect(ranks.load('double', refused)).rejects.toMatchObject({ code: 'DTYPE_UNSUPPORTED', exitStatus: 2 });
  await expect(ranks.run('double')).rejects.toThrow(/expected the name of a loaded program, got double/);
});

it('a worker that does not start fails the creation', async () => {
  const missing = new URL('nothing-here.js', import.meta.url);
  await expect(createPool(mesh, { workerUrl: missing })).rejects.toMatchObject({ code: 'RANK_FAILED' });
});
