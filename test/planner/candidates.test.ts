import { describe, expect, test } from 'vitest';
import { machineryOf } from '../../src/cli/machinery.js';
import { lowerFor, stackOf } from '../../src/cli/assess.js';
import type { Job, Space } from '../../src/job/index.js';
import {
  checkPlan,
  formatPlan,
  isPipeline,
  lowerJobPipeline,
  numbers,
  parseMeshSpace,
  parseNumberSet,
  readChoices,
  resolveTask,
} from '../../src/job/index.js';
import { axisSize, rankCount } from '../../src/mesh/index.js';
import type { Candidate } from '../../src/planner/index.js';
import { ANY_MACHINE, candidatesOf, meshesOf } from '../../src/planner/index.js';
import { print } from '../../src/program/index.js';

const tiny = resolveTask({ model: 'vit-tiny', hardware: 'local', chips: 4, batch: 8 });
const jobOf = ({ task, plan, precision }: Candidate): Job => ({ ...task, plan, precision });
const all = (space: Space, task = tiny, machinery = ANY_MACHINE) => [...candidatesOf(task, space, machinery)];
const texts = (space: Space, task = tiny): string[] => all(space, task).map(({ plan }) => formatPlan(plan));

describe('the candidates of a space', () => {
  test('have every factorization of the chips over pipe, data and model', () => {
    const meshes = [...meshesOf(12)];
    expect(meshes.every((mesh) => rankCount(mesh) === 12)).toBe(true);
    const sizes = meshes.map((mesh) => [axisSize(mesh, 'pipe'), axisSize(mesh, 'data'), axisSize(mesh, 'model')]);
    const wanted = [1, 2, 3, 4, 6, 12].flatMap((pipe) =>
      [1, 2, 3, 4, 6, 12].filter((model) => (12 / pipe) % model === 0).map((model) => [pipe, 12 / pipe / model, model]),
    );
    expect(sizes.map(String).toSorted()).toEqual(wanted.map(String).toSorted());
  });

  test('are jobs as they are: what checks a plan changes nothing of them', () => {
    for (const candidate of all({})) {
      const job = checkPlan(candidate.task, candidate.plan);
      expect(formatPlan(job.plan)).toBe(formatPlan(candidate.plan));
      expect(job.precision).toEqual(candidate.precision);
    }
  });

  test('are each another plan, in the same order every time', () => {
    const found = texts({});
    expect(new Set(found).size).toBe(found.length);
    expect(texts({})).toEqual(found);
  });

  test('lower to a program each that no other has', () => {
    const space: Space = {
      microbatches: numbers(1, 2),
      options: { schedule: ['1f1b'], linears: ['synchronous', 'ring'], rematerialize: ['none', 'selective'] },
    };
    const seen = new Map<string, string>();
    for (const candidate of all(space, { ...tiny, chips: 2 }, machineryOf(tiny))) {
      const job = jobOf(candidate);
      const programs = isPipeline(job.plan)
        ? lowerJobPipeline(job).stages.flatMap(({ start, finish }) => [start, ...finish])
        : [lowerFor(job, stackOf(job))];
      const slots = isPipeline(job.plan)
        ? lowerJobPipeline(job).virtual.flatMap(({ slots }) => Object.values(slots))
        : [];
      const key = [
        formatPlan({ ...job.plan, rematerialize: 'none', shard: 'none', linears: 'synchronous', activations: 'width' }),
        ...[...programs, ...slots].map((program) => (program === undefined ? '' : print(program))),
      ].join('\n');
      expect(seen.get(key), `${formatPlan(job.plan)} and ${seen.get(key)}`).toBeUndefined();
      seen.set(key, formatPlan(job.plan));
    }
    expect(seen.size).toBeGreaterThan(20);
  });

  test('leave out what a stack that fuses attention makes no difference of', () => {
    const remat = (fusedAttention: boolean) =>
      new Set(all({}, tiny, { ...ANY_MACHINE, fusedAttention }).map(({ plan }) => plan.rematerialize));
    expect(remat(false).has('selective')).toBe(true);
    expect(remat(true).has('selective')).toBe(false);
  });

  test('keep to what is asked: fixed, listed or bounded', () => {
    const found = all({
      mesh: parseMeshSpace('model=1..2,pipe=1,2', '--mesh'),
      microbatches: parseNumberSet('2..', ''),
      options: { rematerialize: ['none', 'full'], shard: ['none'] },
    });
    expect(found.length).toBeGreaterThan(0);
    for (const { plan } of found) {
      expect([1, 2]).toContain(axisSize(plan.mesh, 'model'));
      expect([1, 2]).toContain(axisSize(plan.mesh, 'pipe'));
      expect(plan.microbatches).toBeGreaterThanOrEqual(2);
      expect(['none', 'full']).toContain(plan.rematerialize);
      expect(plan.shard).toBe('none');
    }
  });

  test('are as many as those of each value alone', () => {
    const of = (options: Space['options']) => all({ mesh: { pipe: numbers(1) }, ...(options && { options }) }).length;
    const one = (value: 'none' | 'full') => of({ rematerialize: [value] });
    expect(of({ rematerialize: ['none', 'full'] })).toBe(one('none') + one('full'));
  });

  test('go over all counts of chips and batches', () => {
    const found = all({ chips: parseNumberSet('1..4', ''), batch: parseNumberSet('8,12', '') });
    const tasks = new Set(found.map(({ task }) => `${task.chips} ${task.batch}`));
    expect(tasks).toEqual(new Set(['1 8', '1 12', '2 8', '2 12', '4 8', '4 12']));
    expect(found.every(({ task, plan }) => rankCount(plan.mesh) === task.chips)).toBe(true);
  });

  test('that cannot be had are counted by the reason', () => {
    const candidates = candidatesOf({ ...tiny, chips: 8 }, { mesh: { pipe: numbers(1) } }, ANY_MACHINE);
    expect([...candidates].every(({ plan }) => axisSize(plan.mesh, 'model') < 8)).toBe(true);
    // Four heads.
    expect([...candidates.refused.keys()].join()).toMatch(/model has to be a size that divides 4 heads, not 8/);
  });

  test('of a group are its counts of microbatches times its layouts', () => {
    const v4 = resolveTask({ model: 'vit-22b', hardware: 'tpu-v4', chips: 256, batch: 1024 });
    const space: Space = {
      mesh: parseMeshSpace('pipe=1,model=8..16', ''),
      options: { rematerialize: ['none'], shard: ['none'] },
    };
    const candidates = candidatesOf(v4, space, machineryOf(v4));
    const groups = [...candidates.groups()];
    const expected = groups.reduce((sum, { microbatches, layouts }) => sum + microbatches.length * layouts.length, 0);
    const found = [...candidates];
    expect(found).toHaveLength(expected);
    expect(new Set(found.map(({ plan }) => formatPlan(plan))).size).toBe(expected);
    expect(groups.some(({ layouts }) => layouts.length > 1)).toBe(true);
  });
});

describe('what is asked of a space', () => {
  test('is refused where no plan can have it', () => {
    expect(() => all({ options: { prefetch: [2], shard: ['none'] } })).toThrow(
      /^PLAN_INVALID at plan\.prefetch: expected 1 with shard=none/,
    );
    expect(() => all({ options: { linears: ['ring'] } }, { ...tiny, chips: 1 })).toThrow(
      /^PLAN_INVALID at plan\.linears: expected synchronous on data=1/,
    );
    expect(() => all({ mesh: { replica: numbers(3) } })).toThrow(/^MESH_DOES_NOT_MULTIPLY at plan\.mesh/);
    expect(() => all({ options: { compute: ['bf16'] } })).toThrow(/^DTYPE_UNSUPPORTED/);
  });

  test('is had by the plans on whose mesh it has an effect', () => {
    const found = texts({ mesh: { pipe: numbers(1) }, options: { linears: ['ring'] }, microbatches: numbers(1) });
    expect(found.filter((plan) => plan.includes('model=')).every((plan) => plan.includes('linears=ring'))).toBe(true);
    expect(found.filter((plan) => !plan.includes('model=')).some((plan) => plan.includes('linears'))).toBe(false);
  });

  test('is read as people write it', () => {
    expect(readChoices('rematerialize', 'none,selective', '')).toEqual(['none', 'selective']);
    expect(readChoices('rematerialize', 'all', '')).toEqual(['none', 'selective', 'matmuls', 'full']);
    expect(readChoices('shardAxes', 'data,model|data', '')).toEqual([['data', 'model'], ['data']]);
    expect(readChoices('slice', 'all', '')).toBe('all');
    expect(() => readChoices('rematerialize', 'none,much', '--rematerialize')).toThrow(
      /^JOB_INVALID at --rematerialize/,
    );
    expect(() => parseMeshSpace('model=1..x', '--mesh')).toThrow(/^JOB_INVALID at --mesh/);
    expect(() => parseMeshSpace('modle=1', '--mesh')).toThrow(/did you mean model/);
    expect(() => parseNumberSet('16..8', '--chips')).toThrow(/^JOB_INVALID at --chips/);
    expect(() => parseNumberSet('8..', '--chips', true)).toThrow(/both ends/);
  });
});
