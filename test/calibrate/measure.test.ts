/** Blocks of a few probes on real ranks, of the family that needs nothing. */
import { expect, test } from 'vitest';
import type { Block, MeasureEvent, OpProbe } from '../../src/calibrate/index.js';
import { joinBlocks, measureDevices } from '../../src/calibrate/index.js';
import {
  MEASURED_COLLECTIVES,
  MEETINGS,
  collectiveId,
  launchId,
  meetingId,
  meetingKernelId,
  probeId,
} from '../../src/calibrate/probe-program.js';

const workerUrl = new URL('../../dist/src/cli/rank-worker.js', import.meta.url);
const f32 = (...shape: number[]) => ({ shape, dtype: 'f32' as const });
const signal = new AbortController().signal;
const blocksOf = (events: readonly MeasureEvent[]): Block[] =>
  events.flatMap((event): Block[] => (event.kind === 'block' ? [event.block] : []));
const probes: OpProbe[] = [
  { name: 'add', attributes: {}, operands: [f32(8, 16), f32(16)] },
  { name: 'embedding', attributes: {}, operands: [f32(4, 16), { shape: [2, 3], dtype: 'i32' }] },
];

test('every block there is still to be has every probe, on each number of ranks', async () => {
  const events: MeasureEvent[] = [];
  const request = { family: 'reference', threadsPerRank: 1, ranks: [1, 2], probes, done: 1, blocks: 3 } as const;
  await measureDevices(
    { ...request, seconds: 0, workerUrl, diaryFile: undefined },
    (event) => events.push(event),
    signal,
  );
  const blocks = blocksOf(events);
  expect(blocks.map(({ block }) => block)).toEqual([1, 2]);
  const [one, two] = joinBlocks(blocks);
  expect([one!.ranks, two!.ranks]).toEqual([1, 2]);
  for (const measured of [one!, two!]) {
    for (const id of [probeId(0), probeId(1), launchId('chain')]) expect(measured.median(id).value).toBeGreaterThan(0);
    expect(measured.reference.value).toBeGreaterThan(measured.median(probeId(0)).value);
  }
  for (const meeting of MEETINGS)
    for (const id of [meetingId(meeting), meetingKernelId(meeting)]) expect(two!.mean(id).value).toBeGreaterThan(0);
  for (const name of MEASURED_COLLECTIVES)
    expect(two!.median(collectiveId(name, 2 ** 20)).value).toBeGreaterThan(
      two!.median(collectiveId(name, 2 ** 6)).value,
    );
});

test('once time is over there are no more blocks, but the fewest that a median can be of', async () => {
  const events: MeasureEvent[] = [];
  const request = { family: 'reference', threadsPerRank: 1, ranks: [1], probes, done: 0, blocks: 9 } as const;
  await measureDevices(
    { ...request, seconds: 0, workerUrl, diaryFile: undefined },
    (event) => events.push(event),
    signal,
  );
  expect(blocksOf(events)).toHaveLength(3);
});
