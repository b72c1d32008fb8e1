/** Time that stands still while the process does, on clocks that jump. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AwakeTime, awakeClock, LOOK_MILLISECONDS } from '../../src/runtime/awake.js';
import { seconds } from '../../src/units.js';

const LOOK = LOOK_MILLISECONDS / 1e3;

function started() {
  let now = 1000;
  const clock = () => seconds(now);
  const time = new AwakeTime(clock);
  return { time, awake: awakeClock(time.memory, clock), pass: (more: number) => (now += more) };
}

it('is the clock’s where every look is made in time', () => {
  const { time, awake, pass } = started();
  const from = awake();
  let passed = 0;
  for (let look = 0; look < 100; look++) {
    const stretch = LOOK * (0.5 + (look % 3) / 2);
    passed += stretch;
    pass(stretch);
    expect(time.look()).toBeCloseTo(stretch);
  }
  pass(LOOK);
  expect(awake() - from).toBeCloseTo(passed + LOOK);
});

it('counts two looks of a stop, whether the thread that looks has noticed it or not', () => {
  const { time, awake, pass } = started();
  const from = awake();
  pass(3600);
  expect(awake() - from).toBeCloseTo(2 * LOOK);
  expect(time.look()).toBeCloseTo(2 * LOOK);
  expect(awake() - from).toBeCloseTo(2 * LOOK);
  pass(LOOK);
  expect(awake() - from).toBeCloseTo(3 * LOOK);
});

it('never goes back nor faster than the clock, and both sides count the same', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.double({ min: 0, max: 10, noNaN: true }), fc.boolean())), (stretches) => {
      const { time, awake, pass } = started();
      const from = awake();
      let [counted, before] = [0, from];
      for (const [stretch, isLook] of stretches) {
        pass(stretch);
        if (isLook) counted += time.look();
        const now = awake();
        expect(now - before).toBeGreaterThanOrEqual(-1e-9);
        expect(now - before).toBeLessThanOrEqual(stretch + 1e-9);
        if (isLook) expect(now - from).toBeCloseTo(counted);
        before = now;
      }
    }),
  );
});
