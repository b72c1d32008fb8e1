import { describe, expect, test } from 'vitest';
import {
  DEFAULT_PLAN,
  formatJob,
  jobToInput,
  mergeJobs,
  parseJob,
  parseMesh,
  resolveJob,
  resolveTask,
} from '../../src/job/index.js';
import { createMesh } from '../../src/mesh/index.js';

const always = () => true;
const JOB = `model: vit-tiny
hardware: local
chips: 2
batch: 32
plan:
  mesh: { data: 2 }
  microbatches: 2
`;

describe('a job file', () => {
  test('gives a whole job, every default filled in', () => {
    const job = resolveJob(parseJob(JOB, 'job.yaml'), always);
    expect(job.plan).toEqual({ ...DEFAULT_PLAN, mesh: createMesh({ data: 2 }), microbatches: 2 });
    expect(job.optimizer.kind).toBe('adamw');
  });

  test.each([JOB, `${JOB}optimizer: { decayed: all }\n`])('that is written gives the same job again', (text) => {
    const job = resolveJob(parseJob(text, 'job.yaml'), always);
    expect(resolveJob(parseJob(formatJob(job), 'again.yaml'), always)).toEqual(job);
    expect(resolveJob(jobToInput(job), always)).toEqual(job);
  });

  test.each([
    ['batch: -4', /JOB_INVALID at job\.yaml:1 \(batch\)/],
    ['model: vit-tiny\nbatch: many', /JOB_INVALID at job\.yaml:2 \(batch\)/],
    ['modle: vit-tiny', /FIELD_UNKNOWN at job\.yaml:1 .* did you mean model\?/],
    ['plan:\n  mesh:\n    dta: 4', /FIELD_UNKNOWN at job\.yaml:3 .* did you mean data\?/],
    ['plan: [', /JOB_INVALID at job\.yaml:/],
  ])('that says %j is refused with the line', (text, message) => {
    expect(() => parseJob(text, 'job.yaml')).toThrow(message);
  });

  test('is overridden by flags, field by field', () => {
    const merged = mergeJobs(parseJob(JOB, 'job.yaml'), { batch: 64, plan: { microbatches: 4 } });
    expect(merged.batch).toBe(64);
    expect(merged.plan).toEqual({ mesh: { data: 2 }, microbatches: 4 });
  });

  test('may change settings of a preset', () => {
    const { model } = resolveTask({
      model: { preset: 'vit-tiny', depth: 2, parallelLayers: false },
      hardware: 'local',
    });
    expect(model).toMatchObject({ name: 'vit-tiny*', depth: 2, parallelLayers: false, width: 128 });
    expect(() => resolveTask({ model: { preset: 'vit-tiny', heads: 3 }, hardware: 'local' })).toThrow(
      /JOB_INVALID at model\.heads/,
    );
  });
});

describe('a plan', () => {
  const task = { model: 'vit-tiny', hardware: 'local', chips: 4, batch: 32 };

  test('must multiply to the chips', () => {
    expect(() => resolveJob({ ...task, plan: { mesh: { data: 2 } } }, always)).toThrow(
      /MESH_DOES_NOT_MULTIPLY .* 4 chips, got data=2, which is 2/,
    );
  });

  test('must divide the batch', () => {
    expect(() => resolveJob({ ...task, plan: { mesh: { data: 4 }, microbatches: 5 } }, always)).toThrow(
      /PLAN_DOES_NOT_DIVIDE at plan\.microbatches/,
    );
  });

  test('without a count of microbatches gets the fewest that fit, or one when none does', () => {
    const choose = (fits: (microbatches: number) => boolean) =>
      resolveJob({ ...task, plan: { mesh: { data: 4 } } }, ({ plan }) => fits(plan.microbatches)).plan.microbatches;
    expect(choose(() => true)).toBe(1);
    expect(choose((count) => count >= 4)).toBe(4);
    expect(choose(() => false)).toBe(1);
    const twelve = { ...task, batch: 48, plan: { mesh: { data: 4 } } };
    expect(resolveJob(twelve, ({ plan }) => plan.microbatches >= 3).plan.microbatches).toBe(3);
  });
});

describe('a mesh flag', () => {
  test('names axes and sizes', () => expect(parseMesh('data=64, model=16', '--mesh')).toEqual({ data: 64, model: 16 }));
  test.each([
    ['date=4', /FIELD_UNKNOWN at --mesh: .* did you mean data/],
    ['data=0', /JOB_INVALID at --mesh/],
    ['data', /JOB_INVALID/],
    ['data=2x', /JOB_INVALID/],
  ])('%s is refused', (text, message) => expect(() => parseMesh(text, '--mesh')).toThrow(message));
});
