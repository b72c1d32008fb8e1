/** Optimizer state in the host's memory: the same numbers, less of the chip's memory. */
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SMALL_VIT } from '../helpers/models.js';
import { createMesh } from '../../src/mesh/index.js';
import { forward } from '../../src/models/index.js';
import {
  Builder,
  DEFAULT_ADAMW,
  OPTIMIZER_OFFLOADS,
  hostBytes,
  isState,
  lowerTrainingStep,
  memorySamples,
  memoryUse,
  stateKey,
  typeBytes,
  verify,
} from '../../src/program/index.js';
import type { OptimizerOffload, Program } from '../../src/program/index.js';
import type { StateValue } from '../../src/runtime/initialize.js';
import { seconds } from '../../src/units.js';
import { createSingleRank, tensorType } from '../runtime/support.js';

const MODEL = { ...SMALL_VIT, depth: 6 };
const BATCH = 4;

function stepOf(optimizerOffload: OptimizerOffload, parameterType: 'f64' | 'f32', scaled = false): Program {
  const options = {
    mesh: createMesh({}),
    batch: BATCH,
    output: 'loss',
    lossDivisor: BATCH,
    parameterType,
    computeType: parameterType,
    activations: 'width',
  } as const;
  return lowerTrainingStep(forward(MODEL, options), {
    microbatches: 1,
    optimizer: DEFAULT_ADAMW,
    optimizerOffload,
    ...(scaled ? { lossScaling: { initial: 1024, interval: 100 } } : {}),
  });
}

const valuesOf = (state: unknown): number[] =>
  Array.isArray(state) ? state.flatMap(valuesOf) : [...(state as Float64Array)];

const copyOf = (state: StateValue): StateValue =>
  'slice' in state && !Array.isArray(state)
    ? (state as Float64Array).slice()
    : (state as Float64Array[]).map((one) => one.slice());

/** Three steps on one chip from the same seed: the loss of each, and then all parameters and moments. */
async function train(offload: OptimizerOffload, scaled: boolean): Promise<Map<string, unknown>> {
  const program = stepOf(offload, scaled ? 'f32' : 'f64', scaled);
  const rank = createSingleRank();
  await rank.load('step', program);
  rank.initialize(7);
  // What a host has from the start.
  for (const input of program.inputs) {
    if (input.kind !== 'optimizer' || input.slot !== 'copy') continue;
    rank.setState(stateKey(input), copyOf(await rank.readState(`parameter:${input.parameter}`)));
  }
  const feeds = Object.fromEntries(
    program.inputs.flatMap((input) => {
      if (input.kind !== 'data' || (input.name !== 'images' && input.name !== 'labels')) return [];
      const { shape } = program.values[input.value]!.type;
      const length = shape.reduce((product, size) => product * size, 1);
      const numbers = Array.from({ length }, (_, index) => Math.sin(index + 1));
      return [[input.name, scaled ? Float32Array.from(numbers) : Float64Array.from(numbers)]];
    }),
  );
  const found = new Map<string, unknown>();
  for (let step = 1; step <= 3; step++) {
    const { outputs } = await rank.run('step', { 'learning-rate': 0.01, step, ...feeds }, ['loss'], seconds(0));
    found.set(`loss ${step}`, [...(outputs.loss as Float64Array)]);
  }
  for (const input of program.inputs) {
    if (!isState(input) || (input.kind === 'optimizer' && input.slot === 'copy')) continue;
    found.set(stateKey(input), valuesOf(await rank.readState(stateKey(input))));
  }
  return found;
}

describe.each([false, true])('with a scaled loss %s', (scaled) => {
  it.each(['streamed', 'host-update'] as const)('%s leaves every number as it is, to the bit', async (offload) => {
    const [found, usual] = [await train(offload, scaled), await train('none', scaled)];
    expect([...found.keys()]).toEqual([...usual.keys()]);
    expect([...found].flatMap(([key, own]) => (isDeepStrictEqual(own, usual.get(key)) ? [] : [key]))).toEqual([]);
  });
});

const stateBytes = ({ inputs, values }: Program, kind: 'optimizer' | 'parameter'): number =>
  inputs.reduce((total, input) => total + (input.kind === kind ? typeBytes(values[input.value]!.type) : 0), 0);

describe('memory', () => {
  it('begins a step with all that lies in the host gone from the chip', () => {
    for (const offload of OPTIMIZER_OFFLOADS) {
      const program = stepOf(offload, 'f32');
      const [start] = memorySamples(program);
      const kept = stateBytes(program, 'optimizer');
      expect(hostBytes(program)).toBe(offload === 'none' ? 0 : kept);
      expect(start!.liveBytes[2]).toBe(offload === 'none' ? kept : 0);
      // Two moments, and where the host updates a copy of the parameters.
      expect(kept).toBe((offload === 'host-update' ? 3 : 2) * stateBytes(program, 'parameter'));
    }
  });

  it('holds the state of three layers at most, of one tensor outside of them', () => {
    const program = stepOf('streamed', 'f32');
    const most = Math.max(...memorySamples(program).map(({ liveBytes }) => liveBytes[2]!));
    const layers = program.inputs
      .filter((input) => input.kind === 'optimizer')
      .map(({ value }) => program.values[value]!.type);
    const layer = layers.reduce((sum, type) => sum + (type.stack === undefined ? 0 : typeBytes(type) / type.stack), 0);
    const outside = layers.filter(({ stack }) => stack === undefined).map(typeBytes);
    expect(most).toBeGreaterThan(layer);
    expect(most).toBeLessThanOrEqual(Math.max(3 * layer, 4 * 2 * Math.max(...outside)));
    expect(most).toBeLessThan(stateBytes(program, 'optimizer'));
  });

  it('is no less than without its optimizer state', () => {
    const [none, streamed, host] = OPTIMIZER_OFFLOADS.map((offload) => memoryUse(stepOf(offload, 'f32')).peakBytes);
    const state = stateBytes(stepOf('none', 'f32'), 'optimizer');
    for (const peak of [streamed!, host!]) {
      expect(peak).toBeLessThan(none!);
      expect(peak).toBeGreaterThanOrEqual(none! - state);
    }
  });
});

describe('what lies where', () => {
  const at = (id: string) => ({ id, phase: 'optimizer' as const });

  it('is not mixed: tensors of the chip and of the host are refused together', () => {
    const builder = new Builder(createMesh({}));
    const here = builder.value(tensorType([4]), 'input');
    const there = builder.emit('to_host', [here], {}, at('there'));
    expect(() => builder.emit('add', [here, there], {}, at('sum'))).toThrow(
      "PROGRAM_INVALID at add: expected tensors in the host's memory, like the others, got one in the chip's",
    );
    expect(() => builder.emit('to_host', [there], {}, at('again'))).toThrow('PROGRAM_INVALID at to_host');
    expect(() => builder.emit('from_host', [here], {}, at('back'))).toThrow('PROGRAM_INVALID at from_host');
  });

  it('is what a host computes on its tensors, scalars of the chip beside them', () => {
    const builder = new Builder(createMesh({}));
    const here = builder.value(tensorType([4]), 'input');
    const scalar = builder.value(tensorType([]), 'input');
    const there = builder.emit('to_host', [here], {}, at('there'));
    const product = builder.emit('multiply', [there, scalar], {}, at('product'));
    const back = builder.emit('from_host', [product], {}, at('back'));
    expect(builder.type(product).memory).toBe('host');
    expect(builder.type(back)).toEqual(builder.type(here));
    const inputs = [here, scalar].map((value) => ({ kind: 'data' as const, name: 'images' as const, value }));
    expect(verify(builder.finish(inputs, [{ name: 'logits', value: back }])).ops).toHaveLength(3);
  });
});
