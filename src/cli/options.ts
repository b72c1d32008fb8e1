/** The flags that describe a job, shared by the commands; flags override the file. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { MeshwrightError } from '../errors.js';
import type { JobInput, ModelInput, OptionInputs, PlanInput, PlanOptionName } from '../job/index.js';
import {
  PLAN_OPTIONS,
  PLAN_OPTION_NAMES,
  describeDefault,
  mergeJobs,
  mergePlans,
  parsePlanInput,
  planInputOf,
  planWord,
  readJob,
  readOption,
} from '../job/index.js';
import { nearest } from '../text.js';
import { withStoredHardware } from './stored-hardware.js';
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';

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
const SWITCH_FLAGS = [
  'parallelLayers',
  'jointProjections',
  'queryKeyNorm',
  'omitBiases',
  'gatedMlp',
  'biases',
  'tiedHead',
] as const;
const CHOICE_FLAGS = {
  pooling: ['attention', 'mean'],
  loss: ['sigmoid', 'softmax'],
  activation: ['gelu', 'silu'],
  positions: ['rotary', 'learned'],
  norm: ['layer', 'rms'],
} as const;

/** Reads whole numbers of at least 1 with commas between them. @throws MeshwrightError USAGE naming the flag */
export const counts =
  (flag: string) =>
  (text: string): number[] =>
    text.split(',').map(whole(flag));

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

/** Reads a count that may be written with an exponent. @throws MeshwrightError USAGE naming the flag */
export const amount =
  (flag: string) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isSafeInteger(value) && value >= 1) return value;
    const expected = 'a whole number of at least 1, such as 300000000000 or 300e9';
    throw new MeshwrightError('USAGE', { place: flag, expected, got: JSON.stringify(text) });
  };

/** Units of times on the command line; larger than those of profiles. */
const TIME_UNITS: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400 };

/** Reads a time above zero: `350ms`, `12s`, `10m`, `1.5h`, `30d`. @throws MeshwrightError USAGE naming the flag */
export const duration =
  (flag: string) =>
  (text: string): Seconds => {
    const [, digits, unit = ''] = /^\s*(\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*([a-z]+)\s*$/.exec(text) ?? [];
    const value = Number(digits ?? Number.NaN) * (TIME_UNITS[unit] ?? Number.NaN);
    if (value > 0 && Number.isFinite(value)) return seconds(value);
    const expected = `a time above zero with its unit (${Object.keys(TIME_UNITS).join(', ')}), as in 12s`;
    throw new MeshwrightError('USAGE', { place: flag, expected, got: JSON.stringify(text) });
  };

/** Reads a share above 0 and at most 1, `0.31` or `31%`. @throws MeshwrightError USAGE naming the flag */
export const share =
  (flag: string) =>
  (text: string): number => {
    const [, digits, percent] = /^\s*(\d*\.?\d+)\s*(%?)\s*$/.exec(text) ?? [];
    const value = Number(digits ?? Number.NaN) / (percent === '%' ? 100 : 1);
    if (value > 0 && value <= 1) return value;
    throw new MeshwrightError('USAGE', {
      place: flag,
      expected: 'a share above 0 and at most 1, as in 0.31 or 31%',
      got: JSON.stringify(text),
    });
  };

const MOST_MINUTES = 600;

/** Reads minutes, parts of one too. @throws MeshwrightError USAGE naming the flag */
export const minutes =
  (flag: string) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value > 0 && value <= MOST_MINUTES) return value;
    const expected = `minutes: a number above 0, at most ${MOST_MINUTES}`;
    throw new MeshwrightError('USAGE', { place: flag, expected, got: JSON.stringify(text) });
  };

/** How far apart checkpoints are. */
export type CheckpointInterval = { readonly everySteps: number } | { readonly everySeconds: number };

/** Reads steps, `500`, or seconds, `60s`. @throws MeshwrightError USAGE */
export function checkpointInterval(text: string): CheckpointInterval {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(s?)$/.exec(text) ?? [];
  const value = Number(digits);
  if (value > 0 && unit === 's') return { everySeconds: value };
  if (Number.isSafeInteger(value) && value >= 1) return { everySteps: value };
  throw new MeshwrightError('USAGE', {
    place: '--checkpoint-every',
    expected: 'steps, such as 500, or seconds, such as 60s',
    got: JSON.stringify(text),
  });
}

/** Reads a number of at least 0. @throws MeshwrightError USAGE naming the flag */
const number =
  (flag: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
    throw new MeshwrightError('USAGE', { place: flag, expected: 'a number of at least 0', got: JSON.stringify(text) });
  };

/** Reads a number above 0. @throws MeshwrightError USAGE naming the flag */
export const positive =
  (flag: string) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value) && value > 0) return value;
    throw new MeshwrightError('USAGE', { place: flag, expected: 'a number above 0', got: JSON.stringify(text) });
  };

/**
 * More than any machine's, and more than the distribution is good for: it is log-normal with mean 1, of which at 1 half of
 * all kernels take less than 0.71 of the mean. Further up nearly all of them take next to nothing, and the few that make
 * up for it aren't among those of a step.
 */
const MOST_JITTER = 1;

/** Standard deviation over mean. @throws MeshwrightError USAGE */
export function jitter(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= MOST_JITTER) return value;
  throw new MeshwrightError('USAGE', {
    place: '--jitter',
    expected: `a number from 0 to ${MOST_JITTER}, the standard deviation of a kernel's time over its mean`,
    got: JSON.stringify(text),
    hint: 'times are log-normal: with more, nearly all kernels would be faster than the mean; --fault chip=17:1.3 makes one chip slow',
  });
}

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

export interface JobFlags extends OptionInputs {
  readonly job?: string;
  readonly model?: string;
  readonly modelOption?: Partial<ModelInput>;
  readonly hardware?: string;
  readonly chips?: number;
  readonly batch?: number;
  /** The whole plan, in the short form. */
  readonly plan?: PlanInput;
  readonly optimizer?: 'adamw' | 'sgd';
  readonly learningRate?: number;
  readonly json?: boolean;
}

/** Other options are named as they are written here. */
export const asFlags = (text: string): string =>
  text.replace(/`(\w+)`/g, (_, word: string) =>
    word in PLAN_OPTIONS ? `--${planWord(word as keyof typeof PLAN_OPTIONS)}` : word,
  );

/** What flags of options do without a value. */
export type Alone = Readonly<Partial<Record<PlanOptionName, string>>>;

/** A flag for each option of a plan. */
function planFlags(alone: Alone): Option[] {
  return PLAN_OPTION_NAMES.map((name) => {
    const { about, form } = PLAN_OPTIONS[name];
    const flag = `--${planWord(name)}`;
    const otherwise = alone[name];
    const help = `${about} (${form.values}; default: ${describeDefault(name)})${otherwise === undefined ? '' : `; without a value, ${otherwise}`}`;
    return new Option(`${flag} ${otherwise === undefined ? '<value>' : '[value]'}`, asFlags(help)).argParser((text) =>
      readOption(name, text, flag),
    );
  });
}

/** Of commands that train, or write a job that can be trained: a prediction doesn't hang on it. */
export const addLearningRate = (command: Command): Command =>
  command.option('--learning-rate <rate>', 'peak learning rate', number('--learning-rate'));

/** The job file and what is computed on what. */
export const modelFlags = (command: Command): Command =>
  command
    .argument('[job]', 'a job file (YAML); flags override it')
    .option('--model <name>', 'a model; `meshwright models` lists them')
    .option('--model-option <name=value>', 'changes a setting of the model, e.g. parallelLayers=false', modelOption)
    .option(
      '--hardware <name>',
      'a hardware profile: a name, of which the newest version is taken, a version such as local@2 or local@shipped, or a path; `meshwright hardware` lists them',
    )
    .addOption(new Option('--optimizer <kind>', 'optimizer').choices(['adamw', 'sgd']));

export function addJobFlags(command: Command, alone: Alone = {}): Command {
  modelFlags(command)
    .option('--chips <count>', 'how many chips', whole('--chips'))
    .option('--batch <examples>', 'images, or sequences of tokens, a step, over all chips', whole('--batch'))
    .option(
      '--plan <text>',
      'the whole plan in its short form, e.g. "data=64,model=16 microbatches=8 linears=ring", instead of the job file\'s',
      (text) => parsePlanInput(text, '--plan'),
    );
  for (const option of planFlags(alone)) command.addOption(option);
  return command;
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
  const plan = mergePlans(flags.plan ?? base.plan, planInputOf(flags));
  const optimizer = defined({ kind: flags.optimizer, learningRate: flags.learningRate });
  return withStoredHardware({
    ...mergeJobs(
      base,
      defined({
        model: changed,
        hardware: flags.hardware,
        chips: flags.chips,
        batch: flags.batch,
        optimizer: Object.keys(optimizer).length > 0 ? optimizer : undefined,
      }) as JobInput,
    ),
    plan,
  });
}
