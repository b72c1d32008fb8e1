/** A step from measured times alone. */
import { expect, test } from 'vitest';
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
