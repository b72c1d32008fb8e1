/** The search itself, on plans that are numbers: it finds what looking at each would find, and says what it left out. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type {
  CandidateFamily,
  Found,
  Lane,
  LaneReply,
  LaneRequest,
  Look,
  Objectives,
} from '../../src/planner/index.js';
import { dominates, searchPlans } from '../../src/planner/index.js';
import { bytes, seconds } from '../../src/units.js';

const CAPACITY = bytes(60);

interface Made {
  readonly number: number;
  readonly family: number;
  readonly lookClass: string;
  /** What it takes, and how much of that each look says; simulated is what was looked at as often as it can be. */
  readonly seconds: number;
  readonly bytes: number;
  readonly looks: readonly number[];
}

const made = fc
  .array(
    fc.record({
      family: fc.nat(6),
      lookClass: fc.constantFrom('a', 'b', 'c', 'd'),
      seconds: fc.integer({ min: 1, max: 60 }),
      bytes: fc.integer({ min: 1, max: 80 }),
      looks: fc.array(fc.double({ min: 0.2, max: 1, noNaN: true }), { minLength: 2, maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 120 },
  )
  .map((list) => list.toSorted((a, b) => a.family - b.family).map((one, number): Made => ({ ...one, number })));

const at = (one: Made, depth: number) => ({
  seconds: seconds(one.seconds * one.looks[depth]!),
  bytes: bytes(one.bytes * one.looks[depth]!),
});

const looked = (one: Made, depth: number): Look => ({
  ...at(one, depth),
  ...(depth + 1 < one.looks.length ? { lookClass: `${one.lookClass}, ${one.number % 3}` } : {}),
});

function familiesOf(plans: readonly Made[]): CandidateFamily<Made>[] {
  return [...new Set(plans.map(({ family }) => family))].map((family) => {
    const own = plans.filter((one) => one.family === family);
    const looks = own.map((candidate) => ({
      candidates: [candidate],
      ...at(candidate, 0),
      capacity: CAPACITY,
      lookClass: candidate.lookClass,
      kin: candidate.lookClass,
    }));
    return {
      size: own.length,
      capacity: CAPACITY,
      seconds: seconds(Math.min(...looks.map((look) => look.seconds))),
      bytes: bytes(Math.min(...looks.map((look) => look.bytes))),
      smallest: () => own[0]!,
      members: () => looks,
    };
  });
}

class CountingLane implements Lane<Made, number> {
  readonly listsAtOnce = 2;
  readonly simulated: number[] = [];

  run = (requests: readonly LaneRequest<Made>[]): Promise<readonly LaneReply<number>[]> =>
    Promise.resolve(
      requests.map((request): LaneReply<number> => {
        if (request.kind === 'look')
          return { kind: 'looks', looks: request.candidates.map((candidate) => looked(candidate, request.depth)) };
        const { candidate } = request;
        if (candidate.bytes > CAPACITY)
          return { kind: 'does-not-fit', bytes: bytes(candidate.bytes), capacity: CAPACITY };
        this.simulated.push(candidate.number);
        const measure = { seconds: seconds(candidate.seconds), bytes: bytes(candidate.bytes) };
        return { kind: 'simulated', measure, figures: candidate.number };
      }),
    );
}

const objectives = (_: Made, measure: { readonly seconds: number; readonly bytes: number }): Objectives => [
  measure.seconds,
  measure.bytes,
];

const search = (
  plans: readonly Made[],
  lanes: readonly Lane<Made, number>[],
  signal?: AbortSignal,
): Promise<Found<Made, number>> =>
  searchPlans(familiesOf(plans), { lanes, objectives, top: 5, ...(signal === undefined ? {} : { signal }) });

const numbersOf = (found: readonly { readonly figures: number }[]): number[] => found.map(({ figures }) => figures);
const ranked = (plans: readonly Made[]): Made[] =>
  plans.toSorted((a, b) => a.seconds - b.seconds || a.number - b.number);

describe('a search', () => {
  test('finds the best and the front that looking at every plan finds', async () => {
    await fc.assert(
      fc.asyncProperty(made, async (plans) => {
        const { ranked: best, front, counts, isComplete } = await search(plans, [new CountingLane()]);
        const fitting = ranked(plans.filter((one) => one.bytes <= CAPACITY));
        expect(numbersOf(best)).toEqual(fitting.slice(0, 5).map(({ number }) => number));
        const isBest = (one: Made): boolean =>
          !fitting.some((other) => dominates(objectives(other, other), objectives(one, one)));
        expect(numbersOf(front)).toEqual(fitting.filter(isBest).map(({ number }) => number));
        expect(isComplete).toBe(true);
        expect(counts.candidates).toBe(plans.length);
        expect(counts.simulated + counts.doNotFit + counts.boundedOut).toBe(plans.length);
      }),
      { numRuns: 300 },
    );
  });

  test('does the same on any number of lanes', async () => {
    await fc.assert(
      fc.asyncProperty(made, fc.integer({ min: 2, max: 4 }), async (plans, count) => {
        const lanes = Array.from({ length: count }, () => new CountingLane());
        const [one, many] = [await search(plans, [new CountingLane()]), await search(plans, lanes)];
        expect({ ...many }).toEqual({ ...one });
      }),
    );
  });

  test('simulates none twice, and none that a bound excludes from the best and from the front', async () => {
    await fc.assert(
      fc.asyncProperty(made, async (plans) => {
        const lane = new CountingLane();
        const { ranked: best, counts } = await search(plans, [lane]);
        expect(new Set(lane.simulated).size).toBe(lane.simulated.length);
        expect(counts.simulated).toBe(lane.simulated.length);
        expect(counts.simulated).toBeGreaterThanOrEqual(best.length);
      }),
    );
  });

  test('gives the best so far where it is interrupted', async () => {
    const plans = Array.from({ length: 200 }, (_, number): Made => {
      const looks = [0.5, 0.5] as const;
      return { number, family: 0, lookClass: 'a', seconds: 100 + (number % 50), bytes: 1 + (number % 7), looks };
    });
    const controller = new AbortController();
    const found = await searchPlans(familiesOf(plans), {
      lanes: [new CountingLane()],
      objectives,
      top: 5,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(found.isComplete).toBe(false);
    expect(found.ranked.length).toBeGreaterThan(0);
    expect(found.counts.simulated).toBeLessThan(200);
  });

  test('names the plan that comes closest where none fits', async () => {
    const plans = [70, 65, 90].map((size, number): Made => {
      return { number, family: number, lookClass: 'a', seconds: 1, bytes: size, looks: [0.1, 0.2] };
    });
    const found = await search(plans, [new CountingLane()]);
    expect(found.ranked).toEqual([]);
    expect(found.closest).toMatchObject({ bytes: 65, capacity: 60, candidate: { number: 1 } });
  });
});
