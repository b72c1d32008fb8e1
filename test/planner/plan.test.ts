import { describe, expect, test } from 'vitest';
import { formatPlan, optionsOf, parsePlanInput, resolveTask } from '../../src/job/index.js';
import type { Job } from '../../src/job/index.js';
import { axisSize } from '../../src/mesh/index.js';
import { explain, findPlans } from '../../src/planner/index.js';
import type { PlanFigures, Scorer } from '../../src/planner/index.js';
import { bytes } from '../../src/units.js';

const task = resolveTask({ model: 'vit-tiny', hardware: 'local', chips: 8, batch: 64 });

/** Faster with a larger model axis, smaller with more microbatches. */
const figures = (job: Job): PlanFigures => {
  const step = 1 / axisSize(job.plan.mesh, 'model') + 0.01 * job.plan.microbatches;
  return {
    stepTimeSeconds: step,
    mfu: 0.5,
    computeSeconds: step * 0.7,
    exposedCommunicationSeconds: step * 0.2,
    exposedCommunicationByAxisSeconds: { model: step * 0.2 },
    overheadSeconds: step * 0.1,
    peakMemoryBytesPerChip: 1,
  };
};
const scorer = (capacity: number): Scorer<PlanFigures> => ({
  memory: ({ plan }) => ({ bytes: bytes(100 / plan.microbatches), capacity: bytes(capacity) }),
  simulate: figures,
});

describe('a search', () => {
  test('ranks every plan that fits by step time', () => {
    const { ranked, rejected, candidates } = findPlans(task, scorer(1000));
    const times = ranked.map((plan) => plan.figures.stepTimeSeconds);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(ranked.map(({ rank }) => rank)).toEqual(ranked.map((_, index) => index + 1));
    // Four heads: a model axis of 8 does not divide.
    expect(rejected.map(({ plan, reason }) => [formatPlan(plan), reason])).toEqual([
      ['model=8 microbatches=1', 'does-not-divide'],
    ]);
    expect(candidates).toBe(ranked.length + rejected.length);
    expect(formatPlan(ranked[0]!.job.plan)).toBe('data=2,model=4 microbatches=1');
  });

  test('simulates nothing that does not fit, and says what was rejected', () => {
    const { ranked, rejected } = findPlans(task, scorer(30));
    expect(ranked.every(({ job }) => job.plan.microbatches >= 4)).toBe(true);
    expect(rejected.filter(({ reason }) => reason === 'does-not-fit').length).toBeGreaterThan(0);
  });

  test('keeps to the values it is given', () => {
    const { ranked } = findPlans(task, scorer(1000), { model: [2], microbatches: [1, 2] });
    expect(ranked.map(({ job }) => formatPlan(job.plan))).toEqual([
      'data=4,model=2 microbatches=1',
      'data=4,model=2 microbatches=2',
    ]);
  });

  test('keeps copies that it is given, and searches over the chips of one', () => {
    const { ranked } = findPlans(task, scorer(1000), { replica: 2, microbatches: [1] });
    expect(ranked.map(({ job }) => formatPlan(job.plan))).toEqual([
      'replica=2,model=4 microbatches=1',
      'replica=2,data=2,model=2 microbatches=1',
      'replica=2,data=4 microbatches=1',
    ]);
    expect(() => findPlans(task, scorer(1000), { replica: 3 })).toThrow(
      /MESH_DOES_NOT_MULTIPLY at plan.mesh: expected axes that multiply to 8 chips, got replica=3/,
    );
  });

  describe('with options', () => {
    const search = (options: string, of = task) => {
      const wish = optionsOf(parsePlanInput(options, 'plan'));
      return findPlans(of, scorer(1000), { microbatches: [1], options: wish }).ranked;
    };

    test('gives them to every plan on whose mesh they have an effect', () => {
      const found = search('linears=ring shard=parameters prefetch=2 rematerialize=full');
      expect(found.map(({ job }) => formatPlan(job.plan)).toSorted()).toEqual([
        'data=2,model=4 microbatches=1 rematerialize=full linears=ring shard=parameters prefetch=2',
        'data=4,model=2 microbatches=1 rematerialize=full linears=ring shard=parameters prefetch=2',
        'data=8 microbatches=1 rematerialize=full shard=parameters prefetch=2',
      ]);
    });

    test('names the next plan by its mesh, its microbatches and what sets it apart', () => {
      const why = search('linears=ring rematerialize=full').map((found) => found.why);
      expect(why[0]).toMatch(/faster than data=4,model=2 microbatches=1: /);
      const split = search('shard=parameters').map((found) => found.why);
      expect(split[0]).toMatch(/faster than data=4,model=2 microbatches=1: /);
    });

    test('refuses one that no plan can have', () => {
      expect(() => search('prefetch=2')).toThrow(/^PLAN_INVALID at plan\.prefetch: expected 1 with shard=none/);
      expect(() => search('linears=ring activations=replicated')).toThrow(
        /^PLAN_INVALID at plan\.linears: expected synchronous with activations=replicated/,
      );
      expect(() => search('linears=ring', { ...task, chips: 1 })).toThrow(
        /^PLAN_INVALID at plan\.linears: expected synchronous on data=1/,
      );
      expect(() => search('compute=bf16')).toThrow(/^DTYPE_UNSUPPORTED at plan\.precision\.compute/);
    });
  });

  test('that finds nothing names what came closest', () => {
    expect(() => findPlans(task, scorer(1))).toThrow(
      /PLAN_DOES_NOT_FIT .* at most 1 B on each chip, got .* for the closest/,
    );
    expect(() => findPlans(task, scorer(1000), { model: [8] })).toThrow(/PLAN_DOES_NOT_DIVIDE/);
  });
});

test('an explanation says what the step is spent on and what the next plan spends more on', () => {
  const [first, second] = findPlans(task, scorer(1000)).ranked;
  const text = explain(first!.figures, { plan: 'the next', figures: second!.figures });
  expect(text).toMatch(
    /^70 % compute, 20 % exposed communication \(mostly model\), 10 % overhead\. .* faster than the next: .* less compute\.$/,
  );
});
