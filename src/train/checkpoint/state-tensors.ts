/**
 * What a run has to remember of its ranks, as whole tensors under names that no plan changes: parameters, one a layer,
 * what the optimizer keeps of each, and counters. Where the parts of each lie is the plan's.
 */
import type { Job } from '../../job/index.js';
import { isPipeline, lowerJob, lowerJobPipeline } from '../../job/index.js';
import type { Mesh, Segments } from '../../mesh/index.js';
import { globalShape, rankCount, stageMesh } from '../../mesh/index.js';
import type { Pipeline, Program, StateInput, ValueType } from '../../program/index.js';
import { DTYPE_BYTES, elementCount, invalid, isState, stateKey, unstacked } from '../../program/index.js';
import type { TensorInfo } from './safetensors-header.js';

/** Where all of a tensor lies, in parts: on the ranks of a stage. */
export interface Place {
  readonly mesh: Mesh;
  /** The stage's first rank, among all. */
  readonly firstRank: number;
  readonly key: string;
  /** Of a stack. */
  readonly element: number | undefined;
  /** What each rank has. */
  readonly type: ValueType;
  readonly segments?: Segments;
}

export interface StateTensor extends TensorInfo {
  readonly input: StateInput;
  /** More than one where several stages have it. */
  readonly places: readonly [Place, ...Place[]];
}

const OPTIMIZER = 'optimizer';
const COUNTER = 'counter';

/** `encoder/in/kernel` of layer 3 is `encoder/3/in/kernel`. */
const inLayer = (name: string, layer: number | undefined): string =>
  layer === undefined ? name : name.replace('/', `/${layer}/`);

function nameOf(input: StateInput, layer: number | undefined): string {
  switch (input.kind) {
    case 'parameter':
      return inLayer(input.name, layer);
    case 'optimizer':
      return `${OPTIMIZER}/${input.slot}/${inLayer(input.parameter, layer)}`;
    case 'counter':
      return `${COUNTER}/${input.name}`;
  }
}

interface StagePart {
  readonly programs: readonly Program[];
  readonly mesh: Mesh;
  readonly firstRank: number;
  /** The model's layers that elements of stacks are, where they aren't 0, 1, … */
  readonly layers?: readonly number[];
}

function collect(parts: readonly StagePart[]): StateTensor[] {
  const found = new Map<string, StateTensor>();
  for (const { programs, mesh, firstRank, layers } of parts) {
    const seen = new Set<string>();
    for (const { inputs, values } of programs) {
      const segmentsOf = (name: string): Segments | undefined =>
        inputs.flatMap((input) => (input.kind === 'parameter' && input.name === name ? [input.segments] : []))[0];
      for (const input of inputs.filter(isState)) {
        const key = stateKey(input);
        if (seen.has(key)) continue;
        seen.add(key);
        const { type } = values[input.value]!;
        const own =
          input.kind === 'counter' ? undefined : segmentsOf(input.kind === 'parameter' ? input.name : input.parameter);
        const add = (element: number | undefined): void => {
          const name = nameOf(input, element === undefined ? undefined : (layers?.[element] ?? element));
          const shape = globalShape(mesh, type.shape, type.states);
          const segments = own === undefined ? {} : { segments: own };
          const place: Place = { mesh, firstRank, key, element, type: unstacked(type), ...segments };
          const before = found.get(name);
          if (before === undefined) found.set(name, { name, dtype: type.dtype, shape, input, places: [place] });
          else if (String(before.shape) !== String(shape))
            throw invalid(name, `[${before.shape.join(',')}]`, `[${shape.join(',')}]`);
          else found.set(name, { ...before, places: [...before.places, place] });
        };
        if (type.stack === undefined) add(undefined);
        else for (let element = 0; element < type.stack; element++) add(element);
      }
    }
  }
  const order: readonly StateInput['kind'][] = ['parameter', 'optimizer', 'counter'];
  return [...found.values()].toSorted((a, b) => order.indexOf(a.input.kind) - order.indexOf(b.input.kind));
}

export const programState = (program: Program): StateTensor[] =>
  collect([{ programs: [program], mesh: program.mesh, firstRank: 0 }]);

/** @param mesh with the stages on its axis `pipe`, which is its outermost */
export function pipelineState({ stages }: Pipeline, mesh: Mesh): StateTensor[] {
  const own = stageMesh(mesh);
  return collect(
    stages.map(({ finish, layers }, stage) => {
      return { programs: finish, mesh: own, firstRank: stage * rankCount(own), layers };
    }),
  );
}

/** What a checkpoint of a job takes, but for what it says of itself. */
export const checkpointBytes = (job: Job): number =>
  jobState(job).reduce((total, { shape, dtype }) => total + elementCount(shape) * DTYPE_BYTES[dtype], 0);

export const jobState = (job: Job): StateTensor[] =>
  isPipeline(job.plan) ? pipelineState(lowerJobPipeline(job), job.plan.mesh) : programState(lowerJob(job));
