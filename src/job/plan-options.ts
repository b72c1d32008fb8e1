/**
 * The options of a plan, each once: what it means, how it is written and what it is unless given. The schema of `plan:`
 * in a job file, the short form, the flags and the table in docs/plan.md are made from `PLAN_OPTIONS`.
 */
import type { AxisName, Mesh } from '../mesh/index.js';
import type { ActivationLayout } from '../models/index.js';
import { ACTIVATION_LAYOUTS } from '../models/index.js';
import type { FloatType, LinearMode, OptimizerOffload, Rematerialization } from '../program/index.js';
import type { ScheduleName } from '../program/schedules/index.js';
import { SCHEDULE_NAMES } from '../program/schedules/index.js';
import { FLOATS, LINEAR_MODES, OPTIMIZER_OFFLOADS, REMATERIALIZATIONS, SHARD_STAGES } from '../program/index.js';
import type { Bytes } from '../units.js';
import type { All, Form, StageLayers } from './plan-forms.js';
import type { AxisPlacement } from './placement-form.js';
import { placement } from './placement-form.js';
import {
  axes,
  axisOrder,
  boolean,
  bytesOrNone,
  choice,
  layers,
  mesh,
  patterns,
  patternsOrNone,
  slice,
  stageLayers,
  wholeNumber,
  wholeNumberOr,
} from './plan-forms.js';

/** What is sharded over `shardAxes` besides, each with what stands before it. */
export const SHARDS = ['none', ...SHARD_STAGES] as const;

/** When parameters are cast to the type that they are used in. */
export const PARAMETER_CASTS = ['where-used', 'once'] as const;

/** How a model is laid out on a mesh and computed there. What is absent is as the table says. */
export interface Plan {
  readonly mesh: Mesh;
  readonly microbatches: number;
  readonly schedule: ScheduleName;
  readonly virtualStages: number | 'fewest';
  readonly stageLayers: StageLayers;
  readonly scheduleMemory: number | 'usual';
  readonly overlapTransfers: boolean;
  readonly slice?: readonly number[];
  readonly slices?: number;
  readonly twist: boolean;
  readonly placement?: AxisPlacement;
  readonly axisOrder?: readonly AxisName[];
  readonly rematerialize: Rematerialization;
  readonly rematerializeLayers: All<number>;
  readonly keepProducts: 'none' | readonly string[];
  readonly activations: ActivationLayout;
  readonly linears: LinearMode;
  readonly shard: (typeof SHARDS)[number];
  readonly shardAxes: readonly AxisName[];
  readonly shardTensors: All<string>;
  readonly shardMinimum: number;
  readonly prefetch: number | 'layer';
  readonly bucket: Bytes | 'none';
  readonly overlapGradients: boolean;
  readonly castParameters: (typeof PARAMETER_CASTS)[number];
  readonly optimizerOffload: OptimizerOffload;
  readonly compute?: FloatType;
  readonly parameters?: FloatType;
  readonly gradients?: FloatType;
  readonly gradientReduction?: FloatType;
  readonly optimizerState?: FloatType;
  readonly lossScale: number;
  readonly lossScaleInterval: number;
}

export type PlanOptionName = keyof Plan;

export interface PlanOption<Value, Input> {
  readonly form: Form<Value, Input>;
  /** Nothing where it depends on the rest of the job. */
  readonly default?: Value;
  /** In words, where it depends on the rest of the job. */
  readonly defaultAbout?: string;
  /** A line for people. */
  readonly about: string;
  /** Where it comes from. */
  readonly source?: string;
}

export const PLAN_OPTIONS = {
  mesh: {
    form: mesh,
    defaultAbout: 'all chips on `data`',
    about:
      'how many chips lie along each axis, `replica` outermost but for `pipe`; the batch is split over `replica` and `data`, the tokens of a sequence over `sequence`, where attention gathers the keys and values of all, layers over `model`, the model into stages over `pipe`; every replica has a copy of what is sharded over `data`, and gradients are summed over `replica` last',
    source: 'Zhao et al. 2023, §3.2.2; sequence: Grattafiori et al. 2024, §3.3.2',
  },
  microbatches: {
    form: wholeNumber(1),
    defaultAbout: 'the fewest that fit',
    about: 'parts of a step that are computed one after the other, their gradients added up',
  },
  slice: {
    form: slice,
    defaultAbout: 'where rings over `model`, then `data`, are fastest',
    about: 'lengths of the part of a torus that the mesh lies on',
  },
  schedule: {
    form: choice(SCHEDULE_NAMES),
    default: '1f1b',
    about: 'the order in which the stages of a pipeline do their microbatches',
    source: 'Huang et al. 2019; Narayanan et al. 2021; Qi et al. 2023',
  },
  virtualStages: {
    form: wholeNumberOr('fewest', 1),
    default: 'fewest',
    about:
      'parts of the model on each stage of a pipeline; the fewest are 1, or 2 with a `schedule` that wants several',
    source: 'Narayanan et al. 2021, §2.2',
  },
  stageLayers: {
    form: stageLayers,
    default: 'balanced',
    about:
      'how many layers each stage gets: so that the largest has least matmul FLOPs, embedding and head counted; as many each; as many modules each, counting embedding, final norm and head as one each, the first stages getting what is left over; one fewer on the first and the last; or as listed',
    source:
      'DeepSpeed, runtime/pipe/module.py, and Aleph-Alpha/scaling, pipeline_partitioning.py: uniform partitions of the list of modules',
  },
  scheduleMemory: {
    form: wholeNumberOr('usual', 1),
    default: 'usual',
    about:
      'the most microbatches whose activations a stage keeps, where `schedule` leaves a choice; as many as it is known for, or a number',
    source: 'Qi et al. 2023, §3',
  },
  overlapTransfers: {
    form: boolean,
    default: true,
    about:
      'whether a stage of a pipeline goes on while what it sends to another is on its way, or waits until it has arrived',
  },
  slices: {
    form: wholeNumber(1),
    defaultAbout: 'as few as hold the mesh',
    about:
      'how many slices of a torus, of that size each, the data-center network joins; the outermost axis that they divide goes across them',
    source: 'Chowdhery et al. 2022, §4',
  },
  twist: {
    form: boolean,
    default: false,
    about:
      'whether the torus is twisted: links that wrap around its short dimensions come out half of the long ones further; for slices of lengths k and 2k',
    source: 'Cámara et al. 2010; Jouppi et al. 2023',
  },
  placement: {
    form: placement,
    defaultAbout: 'the fastest',
    about: 'the whole dimensions of a torus that axes lie on; axes that are left out get what is left',
  },
  axisOrder: {
    form: axisOrder,
    defaultAbout: 'as in `mesh`',
    about:
      'the order of axes over nodes, the innermost last: its neighbours lie in a node together; axes that are left out stand before, as in `mesh`',
    source: 'Narayanan et al. 2021, §3.2',
  },
  rematerialize: {
    form: choice(REMATERIALIZATIONS),
    default: 'none',
    about:
      'what the backward pass of a layer makes again instead of keeping: nothing, attention scores, all but outputs of matmuls, everything; scores in any case where the stack fuses attention',
    source: 'Chen et al. 2016; Korthikanti et al. 2022, §5; Dao et al. 2022',
  },
  rematerializeLayers: {
    form: layers,
    default: 'all',
    about: 'the layers that `rematerialize` is for; the others make nothing again',
  },
  keepProducts: {
    form: patternsOrNone,
    default: 'none',
    about:
      'the kernels of layers, by name, the products with which are kept although `rematerialize=full` would make them again',
    source: 'AI-Hypercomputer/maxtext, remat_policy: custom',
  },
  activations: {
    form: choice(ACTIVATION_LAYOUTS),
    default: 'width',
    about: 'how activations lie on `model` between linear layers: by width, by tokens, or whole on every chip',
    source:
      'width: Dehghani et al. 2023, §3; sequence: Korthikanti et al. 2022, §4.2; replicated: Shoeybi et al. 2019, §3',
  },
  linears: {
    form: choice(LINEAR_MODES),
    default: 'synchronous',
    about:
      'how the collective beside a linear layer runs: before or after its matmul, or as a ring of neighbour transfers behind partial matmuls, one way round or both; with ring-bulk weight gradients stay whole, and the collectives of the backward pass that only they wait for, or that they need not wait for, run whole beside them',
    source: 'Dehghani et al. 2023, §3; Wang et al. 2023; ring-bulk: Transformer Engine, userbuffers',
  },
  shard: {
    form: choice(SHARDS),
    default: 'none',
    about:
      'what lies in shards over `shardAxes`: nothing, the optimizer state, gradients too, parameters too (ZeRO stages 1, 2 and 3)',
    source: 'Rajbhandari et al. 2020, §5',
  },
  shardAxes: { form: axes, default: ['data'], about: 'the axes that `shard` shards over' },
  shardTensors: { form: patterns, default: 'all', about: 'the parameters that `shard` is for, by name' },
  shardMinimum: {
    form: wholeNumber(0),
    default: 0,
    about: 'elements of a whole tensor below which `shard` leaves it whole',
  },
  prefetch: {
    form: wholeNumberOr('layer', 0),
    default: 1,
    about:
      'how many layers ahead sharded parameters are gathered; 0 gathers them where they are used, `layer` starts all of a layer when it is reached, in the order of their use',
    source: 'Dehghani et al. 2023, §3; Zhao et al. 2023, §3.3',
  },
  bucket: {
    form: bytesOrNone,
    default: 'none',
    about:
      'the most bytes in one launch that gathers parameters or reduces gradients, whole as they are after it or before it; none takes a layer in one',
    source: 'Li et al. 2020, §3.2',
  },
  overlapGradients: {
    form: boolean,
    default: true,
    about:
      "whether a layer's gradients are reduced while the backward pass goes on, or all of them after it; with microbatches it is the last one's pass, where most bytes are still to be reduced then",
    source: 'Li et al. 2020, §3.2',
  },
  castParameters: {
    form: choice(PARAMETER_CASTS),
    default: 'where-used',
    about:
      'when parameters are cast to the type of `compute`: where they are used, in each microbatch and pass, or once a step, into copies that are kept through it',
    source: 'Micikevicius et al. 2018, §3.1',
  },
  optimizerOffload: {
    form: choice(OPTIMIZER_OFFLOADS),
    default: 'none',
    about:
      "where optimizer state lies and who updates: on the chip; in its host's memory, from where a layer's state is fetched for the update and put back, the next one's meanwhile; or the host updates, which gets gradients, keeps a copy of the parameters in f32 and sends them back",
    source: 'AI-Hypercomputer/maxtext, optimizer_memory_host_offload; host-update: Ren et al. 2021, §4',
  },
  compute: {
    form: choice(FLOATS),
    defaultAbout: "the hardware's",
    about: 'the type of activations and of matmul operands; f16 scales the loss',
    source: 'Micikevicius et al. 2018',
  },
  parameters: {
    form: choice(FLOATS),
    defaultAbout: 'f32, or f64 where `compute` is',
    about: 'the type that parameters are kept and updated in',
  },
  gradients: {
    form: choice(FLOATS),
    defaultAbout: "the parameters'",
    about: 'the type that gradients are added up and reduced in',
  },
  gradientReduction: {
    form: choice(FLOATS),
    defaultAbout: "the gradients'",
    about:
      'the type that gradients are reduced over chips in, after the backward pass, layer by layer; they are cast back to `gradients`',
    source: 'Aleph-Alpha/scaling, core/optimizer/allreduce.py',
  },
  optimizerState: {
    form: choice(FLOATS),
    defaultAbout: "the parameters'",
    about: 'the type of momentum and of second moments',
  },
  lossScale: {
    form: wholeNumber(1),
    default: 65536,
    about: 'what the loss is multiplied by at first where `compute` is f16; halved when gradients overflow',
    source: 'Micikevicius et al. 2018, §3.2',
  },
  lossScaleInterval: {
    form: wholeNumber(1),
    default: 2000,
    about: 'steps without overflow after which the loss scale doubles',
  },
} as const satisfies { readonly [K in PlanOptionName]-?: PlanOption<Required<Plan>[K], unknown> };

export const PLAN_OPTION_NAMES = Object.keys(PLAN_OPTIONS) as PlanOptionName[];

/** Options that stand together under `precision:` in YAML, and their names there. */
export const PRECISION_FIELDS = {
  compute: 'compute',
  parameters: 'parameters',
  gradients: 'gradients',
  gradientReduction: 'gradientReduction',
  optimizerState: 'optimizer',
} as const satisfies { readonly [K in PlanOptionName]?: string };

export type PrecisionOption = keyof typeof PRECISION_FIELDS;
export const isPrecision = (name: PlanOptionName): name is PrecisionOption => name in PRECISION_FIELDS;

/** An option's name in the short form and, after two hyphens, as a flag: `shardAxes` → `shard-axes`. */
export const planWord = (name: PlanOptionName): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Where an option stands in a job file: `plan.precision.optimizer`. */
export const planPlace = (name: PlanOptionName): string =>
  `plan.${isPrecision(name) ? `precision.${PRECISION_FIELDS[name]}` : name}`;
