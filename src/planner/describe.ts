/** A plan in sentences that need no acquaintance with its options: what lies where, what is exchanged, and why. */
import type { Job, Plan, PlanOptionName } from '../job/index.js';
import { chunkCount, isPipeline, layersOfStages, planWord, stageCount } from '../job/index.js';
import type { AxisName } from '../mesh/index.js';
import { HOST_LANES, axisSize, batchParts, gradientParts } from '../mesh/index.js';
import type { PlanFigures } from './explain.js';
import { formatPercent, formatSeconds, seconds } from '../units.js';

/** One part of a plan, as the short form names it, and what it does. */
export interface PlanPart {
  readonly part: string;
  readonly text: string;
}

interface Subject {
  readonly job: Job;
  readonly plan: Plan;
  readonly figures: PlanFigures;
}

const count = (value: number): string => value.toLocaleString('en-US');
const time = (value: number): string => formatSeconds(seconds(value));

const examples = ({ model }: Job, amount: number): string =>
  `${count(amount)} ${model.family === 'vit' ? 'image' : 'sequence'}${amount === 1 ? '' : 's'}`;

/** `; the step waits 0.12 s (7 %) for it`, or that it is hidden. */
function waits({ figures }: Subject, axis: AxisName): string {
  const exposed = figures.exposedCommunicationByAxisSeconds[axis] ?? 0;
  if (exposed === 0) return '; that goes on beside computing and costs no time';
  return `; the step waits ${time(exposed)} (${formatPercent(exposed / figures.stepTimeSeconds)}) for it`;
}

const AXES: Readonly<Record<AxisName, (subject: Subject, size: number) => string>> = {
  pipe: ({ job, plan, figures }, size) => {
    const layers = layersOfStages(job.model, plan);
    const [fewest, most] = [Math.min(...layers), Math.max(...layers)];
    const each = fewest === most ? `${most} layer${most === 1 ? '' : 's'}` : `${fewest} to ${most} layers`;
    const parts = chunkCount(plan) > 1 ? ` in ${chunkCount(plan)} parts of ${each}` : `, ${each} each`;
    const bubble = figures.timeByCategorySeconds?.bubble ?? 0;
    return `the ${job.model.depth} layers are dealt to ${size} stages${parts}, and microbatches pass from one to the next; stages stand idle ${formatPercent(bubble / figures.stepTimeSeconds)} of the step (the bubble)`;
  },
  replica: (subject, size) =>
    `${size} copies of everything, whose gradients are added up once a step${waits(subject, 'replica')}`,
  data: (subject, size) => {
    const { job, plan } = subject;
    const share = job.batch / batchParts(plan.mesh);
    const whole =
      plan.shard === 'none' ? 'each with the whole of its layers' : 'which share what is kept between steps';
    return `${size} groups of chips, ${whole}, take ${examples(job, share)} of the batch each; their gradients are added up${waits(subject, 'data')}`;
  },
  sequence: (subject, size) =>
    `${size} chips share the tokens of each sequence; attention gathers the keys and values of all${waits(subject, 'sequence')}`,
  model: (subject, size) =>
    `every layer is split over ${size} neighbouring chips, which exchange activations within each layer${waits(subject, 'model')}`,
};

const SHARDS = {
  optimizer: "the optimizer's state is kept in shards, one a chip of the axis, in place of a whole copy on each",
  gradients: "gradients and the optimizer's state are kept in shards, in place of a whole copy on each chip",
  parameters:
    "parameters, gradients and the optimizer's state are kept in shards; each layer's parameters are gathered when it runs and let go after",
} as const;

const RECOMPUTED = {
  selective: 'attention scores are made again in the backward pass instead of being kept',
  matmuls: 'of each layer only the results of matrix products are kept; the backward pass makes the rest again',
  full: 'of each layer only the input is kept; the backward pass computes the layer again, for memory',
} as const;

const LINEARS = {
  ring: 'beside a matrix product its operands travel around a ring of chips in parts, each part multiplied as it comes',
  bidirectional:
    'beside a matrix product its operands travel both ways around a ring in parts, each part multiplied as it comes',
  'ring-bulk':
    'beside a matrix product its operands travel around a ring in parts; weight gradients are made whole, with collectives beside them',
} as const;

const STREAMS = {
  width: 'between layers each chip of `model` has its part of the width of every token',
  sequence: 'between layers each chip of `model` has its part of the tokens',
  replicated: 'between layers each chip of `model` has all activations',
} as const;

const SCHEDULES: Readonly<Partial<Record<Plan['schedule'], string>>> = {
  gpipe: 'a stage does all forward passes, then all backward passes',
  '1f1b': 'a stage does one forward and one backward pass in turn, so that it keeps few microbatches',
  'interleaved-1f1b':
    'each stage has several parts of the model, so that microbatches reach it sooner and it idles less',
};

/** What a chip waits for its host, all ways together. */
function waitsForHost({ figures }: Subject): string {
  const exposed = HOST_LANES.reduce((sum, lane) => sum + (figures.exposedCommunicationByAxisSeconds[lane] ?? 0), 0);
  return `; the step waits ${time(exposed)} (${formatPercent(exposed / figures.stepTimeSeconds)}) for it`;
}

const OFFLOADS = {
  streamed:
    "the optimizer's state lies in the host's memory; each layer's comes to the chip to be updated there, and goes back",
  'host-update':
    "the optimizer's state lies in the host's memory; the host gets the gradients, updates, and sends the parameters back",
} as const;

type Words = (subject: Subject) => string | undefined;

/** What is worth a sentence; the others say it by their name. */
const OPTIONS: Readonly<Partial<Record<PlanOptionName, Words>>> = {
  schedule: ({ plan }) =>
    isPipeline(plan)
      ? (SCHEDULES[plan.schedule] ?? 'the gradients of weights are put off to where a stage would stand idle')
      : undefined,
  rematerialize: ({ plan }) => (plan.rematerialize === 'none' ? undefined : RECOMPUTED[plan.rematerialize]),
  activations: ({ plan }) => (axisSize(plan.mesh, 'model') === 1 ? undefined : STREAMS[plan.activations]),
  linears: ({ plan }) => (plan.linears === 'synchronous' ? undefined : LINEARS[plan.linears]),
  shard: ({ plan }) => (plan.shard === 'none' || gradientParts(plan.mesh) === 1 ? undefined : SHARDS[plan.shard]),
  optimizerOffload: (subject) => {
    const { optimizerOffload } = subject.plan;
    return optimizerOffload === 'none' ? undefined : `${OFFLOADS[optimizerOffload]}${waitsForHost(subject)}`;
  },
  slice: ({ plan }) => (plan.slice === undefined ? undefined : `chips lie in a block of ${plan.slice.join(' × ')}`),
};

/** Of a plan's axes and of those options that have a say in it, what each does. */
export function describePlan(job: Job, figures: PlanFigures): PlanPart[] {
  const { plan } = job;
  const subject: Subject = { job, plan, figures };
  const axes = plan.mesh.axes.map(({ name, size }) => ({ part: `${name}=${size}`, text: AXES[name](subject, size) }));
  const perMicrobatch = job.batch / batchParts(plan.mesh) / plan.microbatches;
  const held = stageCount(plan) > 1 ? 'pass through the stages' : 'are computed one after the other';
  const microbatches = {
    part: `microbatches=${plan.microbatches}`,
    text:
      plan.microbatches === 1
        ? `each chip computes its ${examples(job, perMicrobatch)} at once`
        : `the batch is cut into ${plan.microbatches} parts that ${held}, ${examples(job, perMicrobatch)} a group at once, so that activations fit in memory`,
  };
  const options = (Object.keys(OPTIONS) as PlanOptionName[]).flatMap((name) => {
    const text = OPTIONS[name]!(subject);
    return text === undefined ? [] : [{ part: `${planWord(name)}=${textOf(plan, name)}`, text }];
  });
  return [...axes, microbatches, ...options];
}

const textOf = (plan: Plan, name: PlanOptionName): string =>
  Array.isArray(plan[name]) ? plan[name].join('×') : String(plan[name]);
