/** The flags that describe a job, shared by the commands; flags override the file. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { MeshwrightError } from '../errors.js';
import { mergeJobs, parseMesh, readJob } from '../job/index.js';
import type { JobInput, ModelInput } from '../job/index.js';
import type { AxisName } from '../mesh/index.js';
import type { Rematerialization } from '../program/index.js';
import { DTYPES, REMATERIALIZATIONS } from '../program/index.js';
import { nearest } from '../text.js';

const MODEL_FLAGS = [
  'width',
  'depth',
  'mlpWidth',
  'heads',
  'patch',
  'imageSize',
  'channels',
  'classes',
  'headWidth',
  'keyValueHeads',
  'ropeBase',
  'vocabulary',
  'sequence',
] as const;
const SWITCH_FLAGS = ['parallelLayers', 'queryKeyNorm', 'omitBiases', 'gatedMlp', 'biases', 'tiedHead'] as const;
const CHOICE_FLAGS = {
  pooling: ['attention', 'mean'],
  loss: ['sigmoid', 'softmax'],
  activation: ['gelu', 'silu'],
  positions: ['rotary', 'learned'],
  norm: ['layer', 'rms'],
} as const;

/** Reads a whole number of at least 1. @throws MeshwrightError USAGE naming the flag */
export const whole =
  (flag: string, least = 1) =>
  (text: string): number => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
    throw new MeshwrightError('USAGE', {
      place: flag,
      expected: `a whole number of at least ${least}`,
      got: JSON.stringify(text),
    });
  };

const number =
  (flag: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
    throw new MeshwrightError('USAGE', { place: flag, expected: 'a number of at least 0', got: JSON.stringify(text) });
  };

/** `8x8x16` */
const slice = (text: string): number[] => text.split(/[x×]/).map((part) => whole('--slice')(part));

/** `width=512`, `parallelLayers=false`; may be given several times. */
function modelOption(text: string, before: Partial<ModelInput> = {}): Partial<ModelInput> {
  const [, name = text, value = ''] = /^(.*?)=(.*)$/.exec(text) ?? [];
  const place = `--model-option ${name}`;
  if ((MODEL_FLAGS as readonly string[]).includes(name)) return { ...before, [name]: whole(place)(value) };
  const choices = new Map<string, readonly string[]>([
    ...SWITCH_FLAGS.map((flag) => [flag, ['true', 'false']] as const),
    ...Object.entries(CHOICE_FLAGS),
  ]);
  const allowed = choices.get(name);
  if (allowed === undefined) {
    const known = [...MODEL_FLAGS, ...choices.keys()];
    throw new MeshwrightError('FIELD_UNKNOWN', {
      place: '--model-option',
      expected: `one of ${known.join(', ')}, as in width=512`,
      got: JSON.stringify(text),
      hint: `did you mean ${nearest(name, known)}?`,
    });
  }
  if (!allowed.includes(value)) {
    throw new MeshwrightError('USAGE', { place, expected: allowed.join(' or '), got: JSON.stringify(value) });
  }
  return { ...before, [name]: name in CHOICE_FLAGS ? value : value === 'true' };
}

export interface JobFlags {
  readonly job?: string;
  readonly model?: string;
  readonly modelOption?: Partial<ModelInput>;
  readonly hardware?: string;
  readonly chips?: number;
  readonly batch?: number;
  readonly mesh?: Partial<Record<AxisName, number>>;
  readonly microbatches?: number;
  readonly rematerialize?: Rematerialization;
  readonly slice?: number[];
  readonly compute?: (typeof DTYPES)[number];
  readonly optimizer?: 'adamw' | 'sgd';
  readonly learningRate?: number;
  readonly json?: boolean;
}

export function addJobFlags(command: Command): Command {
  return command
    .argument('[job]', 'a job file (YAML); flags override it')
    .option('--model <name>', 'a model; `meshwright models` lists them')
    .option('--model-option <name=value>', 'changes a setting of the model, e.g. parallelLayers=false', modelOption)
    .option('--hardware <name>', 'a hardware profile, shipped or a path; `meshwright hardware` lists them')
    .option('--chips <count>', 'how many chips', whole('--chips'))
    .option('--batch <examples>', 'images, or sequences of tokens, a step, over all chips', whole('--batch'))
    .option('--mesh <axes>', 'mesh axes, e.g. data=64,model=16', (text) => parseMesh(text, '--mesh'))
    .option('--microbatches <count>', 'parts of a step (default: the fewest that fit)', whole('--microbatches'))
    .addOption(
      new Option('--rematerialize <what>', 'what a layer makes again in its backward pass').choices(REMATERIALIZATIONS),
    )
    .option('--slice <shape>', 'shape of the torus slice, e.g. 8x8x16 (default: the fastest)', slice)
    .addOption(new Option('--compute <type>', 'type that activations are computed in').choices(DTYPES))
    .addOption(new Option('--optimizer <kind>', 'optimizer').choices(['adamw', 'sgd']))
    .option('--learning-rate <rate>', 'peak learning rate', number('--learning-rate'));
}

const defined = (value: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined));

/** The job that a file and flags describe, defaults not yet filled in. */
export function jobInput(file: string | undefined, flags: JobFlags): JobInput {
  const base = file === undefined ? {} : readJob(file);
  const changes = flags.modelOption ?? {};
  const preset = flags.model ?? base.model;
  const changed =
    Object.keys(changes).length === 0 || preset === undefined
      ? flags.model
      : { ...(typeof preset === 'string' ? { preset } : preset), ...changes };
  const plan = defined({
    mesh: flags.mesh,
    microbatches: flags.microbatches,
    rematerialize: flags.rematerialize,
    slice: flags.slice,
  });
  const optimizer = defined({ kind: flags.optimizer, learningRate: flags.learningRate });
  return mergeJobs(
    base,
    defined({
      model: changed,
      hardware: flags.hardware,
      chips: flags.chips,
      batch: flags.batch,
      plan: Object.keys(plan).length > 0 ? plan : undefined,
      precision: flags.compute === undefined ? undefined : { compute: flags.compute },
      optimizer: Object.keys(optimizer).length > 0 ? optimizer : undefined,
    }) as JobInput,
  );
}
