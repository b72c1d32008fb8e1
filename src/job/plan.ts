/** Plans as people write them: the block in a job file and the short form. */
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import { MESH_AXES } from '../mesh/index.js';
import { nearest } from '../text.js';
import type { Form } from './plan-forms.js';
import { isMeshAxis, readText } from './plan-forms.js';
import type { Plan, PlanOptionName, PrecisionOption } from './plan-options.js';
import { PLAN_OPTIONS, PLAN_OPTION_NAMES, PRECISION_FIELDS, isPrecision, planWord } from './plan-options.js';

type OptionInput<K extends PlanOptionName> = z.infer<(typeof PLAN_OPTIONS)[K]['form']['schema']>;

/** Options as they are given one by one. */
export type OptionInputs = { readonly [K in PlanOptionName]?: OptionInput<K> | undefined };

/** A plan as written in a job file, before defaults. */
export type PlanInput = { readonly [K in Exclude<PlanOptionName, PrecisionOption>]?: OptionInput<K> | undefined } & {
  readonly precision?:
    { readonly [K in PrecisionOption as (typeof PRECISION_FIELDS)[K]]?: OptionInput<K> | undefined } | undefined;
};

type AnyForm = Form<unknown, unknown>;
const formOf = (name: PlanOptionName): AnyForm => PLAN_OPTIONS[name].form as unknown as AnyForm;

const schemas = (names: readonly PlanOptionName[], nameOf: (name: PlanOptionName) => string) =>
  Object.fromEntries(names.map((name) => [nameOf(name), formOf(name).schema.optional()]));

export const planSchema = z.strictObject({
  ...schemas(
    PLAN_OPTION_NAMES.filter((name) => !isPrecision(name)),
    (name) => name,
  ),
  precision: z
    .strictObject(schemas(PLAN_OPTION_NAMES.filter(isPrecision), (name) => PRECISION_FIELDS[name as PrecisionOption]))
    .optional(),
}) as unknown as z.ZodType<PlanInput>;

/** Every option that has a default whatever the job. */
export const DEFAULT_PLAN = Object.fromEntries(
  PLAN_OPTION_NAMES.flatMap((name) => {
    const option = PLAN_OPTIONS[name];
    return 'default' in option ? [[name, option.default]] : [];
  }),
) as unknown as Omit<Plan, 'mesh' | 'microbatches'>;

/** The options that an input gives. */
export function optionsOf(input: PlanInput): Partial<Plan> {
  const { precision, ...rest } = input;
  const given = (name: PlanOptionName): unknown =>
    isPrecision(name) ? precision?.[PRECISION_FIELDS[name]] : rest[name];
  return Object.fromEntries(
    PLAN_OPTION_NAMES.flatMap((name) => {
      const value = given(name);
      return value === undefined ? [] : [[name, formOf(name).fromInput(value)]];
    }),
  );
}

const nest = (inputs: OptionInputs): PlanInput => {
  const [flat, precision]: [Record<string, unknown>, Record<string, unknown>] = [{}, {}];
  for (const name of PLAN_OPTION_NAMES) {
    if (inputs[name] === undefined) continue;
    if (isPrecision(name)) precision[PRECISION_FIELDS[name]] = inputs[name];
    else flat[name] = inputs[name];
  }
  return { ...flat, ...(Object.keys(precision).length === 0 ? {} : { precision }) };
};

/** The block of a job file that gives these options. */
export const toPlanInput = (options: Partial<Plan>): PlanInput =>
  nest(
    Object.fromEntries(
      PLAN_OPTION_NAMES.flatMap((name) =>
        options[name] === undefined ? [] : [[name, formOf(name).toInput(options[name])]],
      ),
    ),
  );

/** The block that options given one by one make. */
export const planInputOf = nest;

/** `over` wins, option by option. */
export const mergePlans = (base: PlanInput = {}, over: PlanInput = {}): PlanInput => {
  const precision = { ...base.precision, ...over.precision };
  return { ...base, ...over, ...(Object.keys(precision).length === 0 ? {} : { precision }) };
};

/**
 * What a flag or a word of the short form gives.
 *
 * @throws MeshwrightError JOB_INVALID, or FIELD_UNKNOWN of a mesh axis
 */
export const readOption = (name: PlanOptionName, text: string, place: string): unknown =>
  readText(formOf(name), text, place);

/** An option's value as the short form has it. */
export const planOptionText = (name: PlanOptionName, value: unknown): string => formOf(name).toText(value);

/** The text of an option's default, in words where it depends on the job. */
export function describeDefault(name: PlanOptionName): string {
  const option = PLAN_OPTIONS[name];
  return 'default' in option ? planOptionText(name, option.default) : option.defaultAbout;
}

/** The short form: mesh and microbatches, and what is not as usual. `parsePlan` reads it. */
export function formatPlan(plan: Plan): string {
  return PLAN_OPTION_NAMES.flatMap((name) => {
    if (plan[name] === undefined) return [];
    const text = planOptionText(name, plan[name]);
    if (name === 'mesh') return [text];
    const option = PLAN_OPTIONS[name];
    return 'default' in option && planOptionText(name, option.default) === text ? [] : [`${planWord(name)}=${text}`];
  }).join(' ');
}

/**
 * The options that a short form names: `data=64,model=16 microbatches=8 linears=ring`, any of them left out.
 *
 * @throws MeshwrightError JOB_INVALID or FIELD_UNKNOWN
 */
export function parsePlanInput(text: string, place: string): PlanInput {
  const inputs: Partial<Record<PlanOptionName, unknown>> = {};
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const [, key = word, value = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
    const name = isMeshAxis(key) ? 'mesh' : PLAN_OPTION_NAMES.find((one) => one !== 'mesh' && planWord(one) === key);
    if (name === undefined) {
      const known = [...MESH_AXES, ...PLAN_OPTION_NAMES.filter((one) => one !== 'mesh').map(planWord)];
      throw new MeshwrightError('FIELD_UNKNOWN', {
        place,
        expected: `words of a plan, as in data=4,model=2 microbatches=8: ${known.join(', ')}`,
        got: JSON.stringify(word),
        hint: `did you mean ${nearest(key, known)}?`,
      });
    }
    const at = `${place} (${planWord(name)})`;
    if (inputs[name] !== undefined) {
      throw new MeshwrightError('JOB_INVALID', { place: at, expected: 'each option once', got: JSON.stringify(text) });
    }
    inputs[name] = readOption(name, name === 'mesh' ? word : value, at);
  }
  return nest(inputs as OptionInputs);
}

/**
 * The plan that a whole short form stands for.
 *
 * @throws MeshwrightError JOB_INVALID or FIELD_UNKNOWN
 */
export function parsePlan(text: string, place = 'plan'): Plan {
  const { mesh, microbatches, ...rest } = optionsOf(parsePlanInput(text, place));
  if (mesh === undefined || microbatches === undefined) {
    throw new MeshwrightError('JOB_INVALID', {
      place,
      expected: 'a mesh and a count of microbatches, as in data=4,model=2 microbatches=8',
      got: JSON.stringify(text),
    });
  }
  return { mesh, microbatches, ...DEFAULT_PLAN, ...rest };
}
