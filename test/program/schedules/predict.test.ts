/** A step from measured times alone. */
import { describe, expect, test } from 'vitest';
import { predictStep } from '../../../src/program/schedules/index.js';
import { seconds } from '../../../src/units.js';

const times = {
  forward: seconds(0.010123),
  backwardInput: seconds(0.0102),
  backwardWeight: seconds(0.0081),
  transfer: seconds(0),
};
const perMicrobatch = times.forward + times.backwardInput + times.backwardWeight;

test('of equal stages is the closed form: (m + p − 1)(F + B + W), over v chunks (m + (p − 1)/v)(F + B + W)', () => {
  for (const name of ['gpipe', '1f1b'] as const) {
    const { stepSeconds, aloneSeconds } = predictStep({ name, stages: 8, microbatches: 64, times });
    expect(stepSeconds).toBeCloseTo(71 * perMicrobatch, 9);
    expect(aloneSeconds).toBe(stepSeconds);
  }
  const interleaved = { name: 'interleaved-1f1b', stages: 8, microbatches: 64, chunks: 4, times } as const;
  expect(predictStep(interleaved).stepSeconds).toBeCloseTo((64 + 7 / 4) * perMicrobatch, 5);
});

test('of stages that differ is no shorter than the slowest takes for all microbatches', () => {
  const slow = { ...times, forward: seconds(0.02) };
  const byStage = [times, times, slow, times];
  for (const name of ['1f1b', 'zb-1p', 'zb-2p'] as const) {
    const { stepSeconds } = predictStep({ name, stages: 4, microbatches: 32, times: byStage });
    expect(stepSeconds).toBeGreaterThanOrEqual(32 * (slow.forward + slow.backwardInput + slow.backwardWeight) - 1e-9);
  }
});

test('is longer where stages wait until what they send has arrived', () => {
  const sending = { ...times, transfer: seconds(0.002) };
  const pipeline = { name: 'zb-2p', stages: 8, microbatches: 64, times: sending } as const;
  expect(predictStep({ ...pipeline, blocking: true }).stepSeconds).toBeGreaterThan(predictStep(pipeline).stepSeconds);
});

describe('of an average over the stages', () => {
  test('a stage takes its share of the work: where one does nothing the others do all, and the sum stays', () => {
    const pipeline = { name: '1f1b', stages: 4, microbatches: 64, times } as const;
    const even = predictStep(pipeline);
    expect(predictStep({ ...pipeline, work: [3, 3, 3, 3] }).stepSeconds).toBe(even.stepSeconds);
    const uneven = predictStep({ ...pipeline, work: [2, 3, 3, 4] });
    const busy = ({ timeline }: typeof even) => timeline.stages.map((stage) => stage.busy);
    busy(uneven).forEach((one, stage) => expect(one / busy(even)[stage]!).toBeCloseTo([2, 3, 3, 4][stage]! / 3, 5));
    expect(uneven.stepSeconds).toBeGreaterThan((64 * perMicrobatch * 4) / 3);
  });

  test('work is of virtual stages, two on each stage of a V', () => {
    const work = [1, 1, 1, 1, 1, 1, 1, 5];
    const { timeline } = predictStep({ name: 'zb-v', stages: 4, microbatches: 8, chunks: 2, times, work });
    const [first, second] = timeline.stages.map(({ busy }) => busy);
    expect(first! / second!).toBeCloseTo(3, 5);
  });

  test('and work that is not theirs is refused', () => {
    const pipeline = { name: '1f1b', stages: 4, microbatches: 8, times } as const;
    for (const work of [
      [1, 1, 1],
      [1, 1, 1, -1],
      [0, 0, 0, 0],
    ])
      expect(() => predictStep({ ...pipeline, work })).toThrow(/PLAN_INVALID at schedule.work/);
  });
});

describe('of an average over hops, some of them between nodes', () => {
  const sending = { ...times, transfer: seconds(0.001) };
  const chain = { name: 'gpipe', stages: 8, microbatches: 1, times: sending } as const;
  const within = seconds(0.0002);

  test('a chain through all stages takes what it took, however they lie', () => {
    const expected = predictStep(chain).stepSeconds;
    for (const stagesPerNode of [1, 2, 4, 8])
      expect(predictStep({ ...chain, nodes: { stagesPerNode, within } }).stepSeconds).toBeCloseTo(expected, 9);
  });

  test('hops between nodes take what is left of it: a pipeline that waits for them is longer than with all hops alike', () => {
    const pipeline = { ...chain, name: '1f1b', microbatches: 64, blocking: true } as const;
    const alike = predictStep(pipeline).stepSeconds;
    expect(predictStep({ ...pipeline, nodes: { stagesPerNode: 4, within } }).stepSeconds).toBeGreaterThan(alike);
    expect(predictStep({ ...pipeline, nodes: { stagesPerNode: 8, within } }).stepSeconds).toBe(alike);
  });

  test('no hop takes less than nothing, where one in a node is said to take more than the average', () => {
    const nodes = { stagesPerNode: 4, within: seconds(0.01) };
    expect(predictStep({ ...chain, nodes }).stepSeconds).toBe(predictStep(chain).stepSeconds);
  });
});
