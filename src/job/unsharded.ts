/** The model as one chip would compute it: what counts of the whole model are taken from. */
import { createMesh } from '../mesh/index.js';
import type { ModelConfig } from '../models/index.js';
import { forward, lossTermsPerExample } from '../models/index.js';
import type { Program } from '../program/index.js';
import { elementCount } from '../program/index.js';

export const unsharded = (model: ModelConfig, batch: number): Program =>
  forward(model, {
    mesh: createMesh({}),
    batch,
    lossDivisor: batch * lossTermsPerExample(model),
    parameterType: 'f32',
    computeType: 'f32',
    activations: 'width',
    output: 'loss',
  });

export interface Tensor {
  readonly name: string;
  /** Of the whole tensor, of one layer where every layer has one. */
  readonly elements: number;
}

export function parameterTensors(model: ModelConfig): Tensor[] {
  const program = unsharded(model, 1);
  return program.inputs.flatMap((input) =>
    input.kind === 'parameter'
      ? [{ name: input.name, elements: elementCount(program.values[input.value]!.type.shape) }]
      : [],
  );
}

/** Whether a pattern, in which `*` stands for any run of characters, is of this name. */
export function matchesPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

/** The names of the parameters that patterns are of. */
export const matchingTensors = (model: ModelConfig, patterns: readonly string[]): string[] =>
  parameterTensors(model)
    .map(({ name }) => name)
    .filter((name) => patterns.some((pattern) => matchesPattern(pattern, name)));
