import { describe, expect, test } from 'vitest';
import { createMesh, dualStates, sameStates } from '../../src/mesh/index.js';
import { forward } from '../../src/models/index.js';
import type { ModelConfig } from '../../src/models/index.js';
import type { Program, ValueId } from '../../src/program/index.js';
import { accumulateMicrobatches, differentiate, elementCount, fuse, verify } from '../../src/program/index.js';
import { interpret, pseudoRandom, relativeError } from '../helpers/interpret.js';
import type { Bound, Tensor } from '../helpers/interpret.js';
import { ALL_VARIANTS, SMALL_VIT } from '../helpers/models.js';

const forwardOf = (config: ModelConfig, batch: number, mesh = createMesh({}), lossDivisor = batch): Program =>
  forward(config, {
    mesh,
    batch,
    lossDivisor,
    parameterType: 'f64',
    computeType: 'f64',
    activations: 'width',
    output: 'loss',
  });

/** Values for all inputs, by name so that programs of one model get the same; targets are one-hot. */
function inputsFor(program: Program): Map<ValueId, Bound> {
  return new Map(
    program.inputs.map((input, index) => {
      const { shape, stack, dtype } = program.values[input.value]!.type;
      const gain = input.kind === 'parameter' && input.name.endsWith('gain') ? 1 : 0;
      const one = (seed: number): Tensor => {
        if (input.kind === 'data' && input.name === 'labels') {
          return Float64Array.from({ length: elementCount(shape) }, (_, element) =>
            (element * 7 + seed) % 5 === 0 ? 1 : 0,
          );
        }
        if (dtype === 'i32') return Int32Array.from({ length: elementCount(shape) }, (_, i) => (i * i + 3 * seed) % 32);
        return pseudoRandom(elementCount(shape), seed).map((x) => gain + 0.4 * x);
      };
      return [
        input.value,
        stack === undefined
          ? one(index + 1)
          : Array.from({ length: stack }, (_, layer) => one(100 * layer + index + 1)),
      ];
    }),
  );
}

describe('the gradient of a whole model', () => {
  for (const [name, config] of Object.entries(ALL_VARIANTS)) {
    test(`agrees with finite differences along random directions: ${name}`, () => {
      const plain = verify(forwardOf(config, 2));
      const program = verify(differentiate(plain));
      const inputs = inputsFor(plain);
      const results = interpret(fuse(program), inputs);
      const loss = (changed: Map<ValueId, Bound>) => (interpret(plain, changed).get('loss') as Tensor)[0]!;
      for (const input of plain.inputs) {
        if (input.kind !== 'parameter') continue;
        const at = inputs.get(input.value)!;
        const layers = Array.isArray(at) ? (at as Tensor[]) : [at as Tensor];
        const gradient = results.get(`gradient:${input.name}`)!;
        const gradients = Array.isArray(gradient) ? (gradient as Tensor[]) : [gradient as Tensor];
        const directions = layers.map((layer, index) => pseudoRandom(layer.length, 999 + index));
        const slope = gradients.reduce(
          (total, layer, index) =>
            total + Float64Array.from(layer).reduce((inner, x, element) => inner + x * directions[index]![element]!, 0),
          0,
        );
        const shifted = (by: number) => {
          const moved = layers.map((layer, index) =>
            Float64Array.from(layer, (x, element) => x + by * directions[index]![element]!),
          );
          return loss(new Map(inputs).set(input.value, Array.isArray(at) ? moved : moved[0]!));
        };
        const step = 1e-5;
        const numeric = (shifted(step) - shifted(-step)) / (2 * step);
        expect(Math.abs(slope - numeric), input.name).toBeLessThan(1e-7 * Math.max(1, Math.abs(numeric)));
      }
    });
  }
});

test('microbatches accumulate to the gradient of the whole batch', () => {
  const whole = differentiate(forwardOf(SMALL_VIT, 4));
  const parts = verify(accumulateMicrobatches(differentiate(forwardOf(SMALL_VIT, 2, createMesh({}), 4)), { count: 2 }));
  const inputs = inputsFor(whole);
  const byName = new Map(
    whole.inputs.map((input) => [input.kind === 'optimizer' ? '' : input.name, inputs.get(input.value)!]),
  );
  const partInputs = new Map(
    parts.inputs.map((input): [ValueId, Bound] => {
      const value = byName.get(input.kind === 'optimizer' ? '' : input.name)!;
      if (input.kind !== 'data') return [input.value, value];
      const all = value as Float64Array;
      return [input.value, [all.slice(0, all.length / 2), all.slice(all.length / 2)]];
    }),
  );
  const expected = interpret(whole, inputs);
  const got = interpret(parts, partInputs);
  expect([...got.keys()]).toEqual([...expected.keys()]);
  for (const [name, value] of expected) {
    const flat = (bound: Bound) =>
      Array.isArray(bound) ? (bound as Tensor[]).flatMap((x) => [...x]) : [...(bound as Tensor)];
    expect(relativeError(flat(got.get(name)!), flat(value)), name).toBeLessThan(1e-12);
  }
});

test('a gradient has the dual state of its parameter: partial where that is replicated', () => {
  const mesh = createMesh({ data: 2, model: 4 });
  const program = verify(differentiate(forwardOf(SMALL_VIT, 8, mesh)));
  for (const input of program.inputs) {
    if (input.kind !== 'parameter') continue;
    const gradient = program.outputs.find(({ name }) => name === `gradient:${input.name}`)!;
    const states = program.values[input.value]!.type.states;
    expect(sameStates(program.values[gradient.value]!.type.states, dualStates(mesh, states)), input.name).toBe(true);
  }
});
