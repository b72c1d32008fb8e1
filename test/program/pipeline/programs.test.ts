/** What is in a pipeline's programs, counted. */
import { describe, expect, test } from 'vitest';
import type { Op, Pipeline, Program } from '../../../src/program/index.js';
import {
  countCollectiveBytes,
  countMatmulFlops,
  differentiate,
  forEachOp,
  lowerPipeline,
  lowerPipelineForward,
  typeBytes,
} from '../../../src/program/index.js';
import type { StepCase } from '../../agreement/case.js';
import { forwardOfStep, OPTIMIZERS } from '../../agreement/case.js';
import { DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../../helpers/models.js';
import type { PipeCase } from './run.js';
import { lowerPipelineOf } from './run.js';

const base = {
  batch: 16,
  optimizer: OPTIMIZERS.adamw,
  parameterType: 'f32',
  computeType: 'bf16',
  model: { ...SMALL_DECODER, depth: 6 },
} as const;
const one = { mesh: { data: 2, model: 2 }, microbatches: 4, activations: 'sequence' } as const;
const pipe: PipeCase = { layers: [1, 2, 2, 1], placement: [[0], [1], [2], [3]], splitBackward: true };

const slotsOf = ({ virtual }: Pipeline): Program[] => virtual.flatMap(({ slots }) => Object.values(slots));
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const flopsOf = (programs: readonly Program[]): number =>
  sum(programs.flatMap((program) => Object.values(countMatmulFlops(program))));
const residuals = (program: Program) => program.outputs.filter(({ name }) => name.startsWith('residual:'));
const residualBytes = (program: Program): number =>
  sum(residuals(program).map(({ value }) => typeBytes(program.values[value]!.type)));
const opsOf = (program: Program): Op[] => {
  const found: Op[] = [];
  forEachOp(program.ops, (op) => found.push(op));
  return found;
};

describe('slots', () => {
  test.each([false, true])('multiply as much as the uncut passes do; weights apart: %s', (splitBackward) => {
    for (const model of [base.model, { ...SMALL_VIT, depth: 6 }]) {
      const example: StepCase = { ...base, model, plan: one };
      const whole = differentiate(forwardOfStep(example));
      expect(flopsOf(slotsOf(lowerPipelineOf(example, { ...pipe, splitBackward })))).toBe(flopsOf([whole]));
    }
  });

  test('of weights have all weight gradients, and nothing is sent after them', () => {
    const isWeight = ({ name }: Op): boolean => name === 'matmul_weight_gradient';
    for (const { slots } of lowerPipelineOf({ ...base, plan: one }, pipe).virtual) {
      expect(opsOf(slots['backward-input']!).filter(isWeight)).toEqual([]);
      expect(opsOf(slots['backward-weight']!).filter(isWeight)).not.toEqual([]);
      expect(slots['backward-weight']!.outputs.every(({ name }) => name.startsWith('sum:gradient:'))).toBe(true);
    }
  });

  test('reduce over data as much as without a pipeline, after the last microbatch', () => {
    const sent = (programs: readonly Program[]): number =>
      sum(programs.map((program) => countCollectiveBytes(program).data ?? 0));
    const counted = (layers: readonly number[], overlapGradients: boolean): number[] => {
      const placement = layers.map((_, index) => [index]);
      const found = lowerPipelineOf(
        { ...base, plan: { ...one, overlapGradients } },
        { layers, placement, splitBackward: true },
      );
      const finish = sent(found.stages.flatMap((stage) => stage.finish));
      const last = sent(found.virtual.flatMap((stage) => Object.values(stage.last)));
      return [sent(slotsOf(found)), last + finish];
    };
    const [, whole] = counted([6], false);
    expect(whole).toBeGreaterThan(0);
    expect(counted(pipe.layers, false)).toEqual([0, whole]);
    expect(counted(pipe.layers, true)).toEqual([0, whole]);
  });

  test('keep nothing of a layer that makes all of it again but what came in', () => {
    const plan = { ...one, rematerialize: 'full' } as const;
    const inner = lowerPipelineOf({ ...base, plan }, { ...pipe, splitBackward: false }).virtual[1]!.slots.forward!;
    const stream = inner.values[inner.inputs.find(({ kind }) => kind === 'port')!.value]!.type;
    expect(residualBytes(inner)).toBe(2 * typeBytes(stream));
  });

  test('keep no parameter, cast or gathered, from microbatch to microbatch', () => {
    const model = { ...DECODER_VARIANTS['as GPT']!, depth: 6 };
    const shard = { stage: 'parameters', axes: ['data'], minimumElements: 0, prefetch: 1 } as const;
    for (const plan of [one, { ...one, shard }]) {
      const vocabulary = model.family === 'decoder' ? model.vocabulary / 2 : 0;
      const shapes = lowerPipelineOf({ ...base, model, plan }, pipe).virtual.flatMap(({ slots }) =>
        Object.values(slots).flatMap((program) =>
          residuals(program).map(({ value }) => program.values[value]!.type.shape),
        ),
      );
      expect(shapes).not.toContainEqual([vocabulary, model.width]);
      expect(shapes).not.toEqual([]);
    }
  });

  test('leave as residuals exactly what later ones read', () => {
    for (const { slots } of lowerPipelineOf({ ...base, plan: one }, pipe).virtual) {
      const left = Object.values(slots).flatMap(residuals);
      const read = Object.values(slots).flatMap(({ inputs }) =>
        inputs.flatMap((input) => (input.kind === 'residual' ? [`residual:${input.name}`] : [])),
      );
      expect(new Set(read)).toEqual(new Set(left.map(({ name }) => name)));
    }
  });
});

describe('stages', () => {
  test('that do the same share their programs, however many there are', () => {
    const count = 32;
    const model = { ...base.model, depth: 2 * count };
    const layers = Array.from({ length: count }, () => 2);
    const placement = layers.map((_, index) => [index]);
    const { virtual, stages } = lowerPipelineOf(
      { ...base, model, plan: one },
      { layers, placement, splitBackward: false },
    );
    expect(new Set(virtual.map(({ slots }) => slots)).size).toBe(3);
    expect(new Set(stages.map(({ finish }) => finish[0])).size).toBe(3);
    expect(new Set(virtual.slice(1, -1).map(({ slots }) => slots)).size).toBe(1);
  });

  test('have the layers of their chunks', () => {
    const found = lowerPipelineOf(
      { ...base, plan: one },
      {
        ...pipe,
        placement: [
          [0, 3],
          [1, 2],
        ],
      },
    );
    expect(found.stages.map(({ layers }) => layers)).toEqual([
      [0, 5],
      [1, 2, 3, 4],
    ]);
    expect(found.stages.map(({ chunks }) => chunks.map(({ first }) => first))).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  test('exchange the gradient of a tied table, unless one stage has both ends', () => {
    const example = { ...base, model: { ...base.model, tiedHead: true }, plan: one };
    expect(lowerPipelineOf(example, pipe).tied).toEqual([{ name: 'embed/table', stages: [0, 3] }]);
    expect(
      lowerPipelineOf(example, {
        ...pipe,
        placement: [
          [0, 3],
          [1, 2],
        ],
      }).tied,
    ).toEqual([]);
    expect(lowerPipelineOf({ ...base, plan: one }, pipe).tied).toEqual([]);
  });

  test('begin in other layers where only some are made again', () => {
    const plan = { ...one, rematerialize: 'full', rematerializeLayers: [1, 2, 4] } as const;
    const { virtual } = lowerPipelineOf({ ...base, plan }, pipe);
    expect(virtual[1]!.slots).not.toBe(virtual[2]!.slots);
    expect(residualBytes(virtual[1]!.slots.forward!)).toBeLessThan(residualBytes(virtual[2]!.slots.forward!));
  });

  test('of the forward pass alone hand on the stream and end in logits', () => {
    const forward = forwardOfStep({ ...base, plan: one });
    const { virtual } = lowerPipelineForward(forward, pipe, 'loss');
    const programs = virtual.map(({ slots }) => slots.forward!);
    expect(programs.map(({ outputs }) => outputs.map(({ name }) => name))).toEqual([
      ['send:stream'],
      ['send:stream'],
      ['send:stream'],
      ['loss'],
    ]);
    expect(programs[1]).toBe(programs[2]);
    expect(flopsOf(programs)).toBe(flopsOf([forward]));
  });
});

describe('a pipeline is refused', () => {
  const forward = forwardOfStep({ ...base, plan: one });
  const options = { ...pipe, microbatches: 4, optimizer: base.optimizer };
  test('where layers or stages are not those of the model', () => {
    expect(() => lowerPipeline(forward, { ...options, layers: [1, 1, 1, 1] })).toThrow(/6 layers/);
    expect(() => lowerPipeline(forward, { ...options, layers: [3, 0, 2, 1] })).toThrow(/a layer in each inner stage/);
    expect(() => lowerPipeline(forward, { ...options, placement: [[0], [1], [2], [2]] })).toThrow(/virtual stages/);
  });
});
