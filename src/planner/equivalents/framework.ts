/**
 * A plan in the words of another framework: its settings, and what of the plan it has no setting for. Each framework is a
 * table with a rule for every option of a plan, so that none can be passed over.
 */
import type { Job, Plan, PlanOptionName } from '../../job/index.js';
import {
  DEFAULT_PLAN,
  PLAN_OPTION_NAMES,
  layersOfStages,
  planOptionText,
  planWord,
  stageCount,
} from '../../job/index.js';
import { axisSize, batchParts } from '../../mesh/index.js';

/** What of a plan a framework's settings don't say. */
export interface NoEquivalent {
  readonly option: PlanOptionName;
  /** As the short form has it. */
  readonly value: string;
  /** What the framework does instead, or what comes nearest. */
  readonly instead: string;
}

export interface FrameworkSettings {
  readonly framework: string;
  /** `flags`, `toml`, `yaml`, `json` or `python`: how `lines` are written. */
  readonly form: string;
  readonly lines: readonly string[];
  readonly noEquivalent: readonly NoEquivalent[];
}

/** What rules ask of a job, and where they say what comes of it. */
export interface Translation {
  readonly job: Job;
  readonly plan: Plan;
  readonly pipe: number;
  readonly replica: number;
  readonly data: number;
  readonly sequence: number;
  readonly model: number;
  /** Examples that a rank computes at once. */
  readonly microbatch: number;
  /** Layers of each virtual stage; of the whole model without a pipeline. */
  readonly layers: readonly number[];
  set(line: string): void;
  lacks(option: PlanOptionName, instead: string): void;
}

export type Rule = (translation: Translation) => void;
export type Rules = { readonly [K in PlanOptionName]: Rule };

/** Of options that another rule speaks for. */
export const elsewhere: Rule = () => undefined;

export const isDefault = (plan: Plan, option: PlanOptionName): boolean =>
  plan[option] === undefined ||
  (option in DEFAULT_PLAN &&
    planOptionText(option, plan[option]) === planOptionText(option, DEFAULT_PLAN[option as keyof typeof DEFAULT_PLAN]));

/** A rule of an option that a framework has only the usual value of. */
export const onlyUsual =
  (option: PlanOptionName, instead: string): Rule =>
  ({ plan, lacks }) => {
    if (!isDefault(plan, option)) lacks(option, instead);
  };

export const evenLayers = ({ layers }: Translation): boolean => layers.every((count) => count === layers[0]);

/** What a torus alone has: where a slice lies is asked of the cloud, not of the framework. */
export const TORUS: Pick<Rules, 'slice' | 'slices' | 'twist' | 'placement'> = {
  slice: onlyUsual('slice', 'ask for a slice of that shape when you create the machines'),
  slices: onlyUsual('slices', 'ask for as many slices when you create the machines'),
  twist: onlyUsual('twist', 'ask for a twisted slice when you create the machines'),
  placement: onlyUsual('placement', 'the order of devices in the mesh decides it; check where the axes lie'),
};

/** Of a framework that orders ranks in one way. */
export const fixedOrder = (instead: string): Pick<Rules, 'axisOrder'> => ({
  axisOrder: onlyUsual('axisOrder', instead),
});

/** @param wrap puts the settings into the form of a file, where they are one */
export function translate(
  job: Job,
  {
    framework,
    form,
    rules,
    finish = elsewhere,
    wrap = (lines) => lines,
  }: {
    readonly framework: string;
    readonly form: string;
    readonly rules: Rules;
    /** What is said after all options. */
    readonly finish?: Rule;
    readonly wrap?: (lines: readonly string[]) => readonly string[];
  },
): FrameworkSettings {
  const lines: string[] = [];
  const noEquivalent: NoEquivalent[] = [];
  const { plan } = job;
  const size = (axis: Parameters<typeof axisSize>[1]): number => axisSize(plan.mesh, axis);
  const textOf = (option: PlanOptionName): string =>
    plan[option] === undefined ? valueOfJob(job, option) : planOptionText(option, plan[option]);
  const translation: Translation = {
    job,
    plan,
    pipe: size('pipe'),
    replica: size('replica'),
    data: size('data'),
    sequence: size('sequence'),
    model: size('model'),
    microbatch: job.batch / plan.microbatches / batchParts(plan.mesh),
    layers: stageCount(plan) === 1 ? [job.model.depth] : layersOfStages(job.model, plan),
    set: (line) => lines.push(line),
    lacks: (option, instead) => noEquivalent.push({ option, value: textOf(option), instead }),
  };
  for (const option of PLAN_OPTION_NAMES) rules[option](translation);
  finish(translation);
  return { framework, form, lines: wrap(lines), noEquivalent };
}

/** Of types that the plan leaves to the job. */
function valueOfJob({ precision }: Job, option: PlanOptionName): string {
  const types: Partial<Record<PlanOptionName, string>> = { ...precision, optimizerState: precision.optimizer };
  return types[option] ?? '';
}

/** `rematerialize=matmuls: …` */
export const noEquivalentText = ({ option, value, instead }: NoEquivalent): string =>
  `${option === 'mesh' ? '' : `${planWord(option)}=`}${value}: ${instead}`;
