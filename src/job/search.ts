/**
 * What people ask of a search, dimension by dimension: the block `search:` of a job file and the flags of `plan`. A
 * value is fixed, listed (`none,selective`), bounded (`1..16`) or `all`.
 */
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import type { AxisName } from '../mesh/index.js';
import { MESH_AXES } from '../mesh/index.js';
import { omit } from '../omit.js';
import { nearest } from '../text.js';
import type { NumberSet } from './number-set.js';
import { NUMBER_SET, numbers, onlyNumber, parseNumberSet, readNumberSet } from './number-set.js';
import { isMeshAxis, readText } from './plan-forms.js';
import type { Form } from './plan-forms.js';
import { PLAN_OPTIONS, PLAN_OPTION_NAMES, PRECISION_FIELDS, isPrecision } from './plan-options.js';
import { optionsOf } from './plan.js';
import type { PlanInput } from './plan.js';
import type { ListedOption, OptionChoices, Space } from './space.js';

export const LISTED_OPTIONS = PLAN_OPTION_NAMES.filter(
  (name): name is ListedOption => name !== 'mesh' && name !== 'microbatches',
);

/** Whose single values have commas, so that alternatives stand between bars. */
const WITH_COMMAS: ReadonlySet<ListedOption> = new Set([
  'stageLayers',
  'placement',
  'axisOrder',
  'rematerializeLayers',
  'keepProducts',
  'shardAxes',
  'shardTensors',
]);

type AnyForm = Form<unknown, unknown>;
const formOf = (name: ListedOption): AnyForm => PLAN_OPTIONS[name].form as unknown as AnyForm;

/** Every value of an option that has a short list of them. */
function everyValue(name: ListedOption): readonly unknown[] | 'all' | undefined {
  if (name === 'slice' || name === 'placement' || name === 'axisOrder') return 'all';
  const { schema, values, fromText } = formOf(name);
  const inputs = values.split(', ').map((text) => fromText(text, name));
  return inputs.every((input) => schema.safeParse(input).success) ? inputs : undefined;
}

/** In words, how an option's values are given to a search. */
export const choicesAbout = (name: ListedOption): string =>
  `${formOf(name).values}${WITH_COMMAS.has(name) ? '; several between bars, as in A|B' : '; several with commas'}${everyValue(name) === undefined ? '' : '; or all'}`;

/**
 * The values that a text names: `none,selective`, `7,8,8,6|8,7,7,7`, `all`.
 *
 * @throws MeshwrightError JOB_INVALID
 */
export function readChoices(name: ListedOption, text: string, place: string): readonly unknown[] | 'all' {
  const form = formOf(name);
  const every = text.trim() === 'all' ? everyValue(name) : undefined;
  if (every !== undefined) return every;
  const separator = WITH_COMMAS.has(name) || text.includes('|') ? '|' : ',';
  return text.split(separator).map((part) => form.fromInput(readText(form, part.trim(), place)));
}

/** A value of YAML: a text as above, one value as in `plan:`, or a list of either. */
function fromYaml(name: ListedOption, value: unknown, place: string): readonly unknown[] | 'all' {
  if (typeof value === 'string') return readChoices(name, value, place);
  const one = (input: unknown): unknown => {
    const form = formOf(name);
    if (typeof input === 'string') return form.fromInput(readText(form, input, place));
    const parsed = form.schema.safeParse(input);
    if (parsed.success) return form.fromInput(parsed.data);
    throw new MeshwrightError('JOB_INVALID', { place, expected: form.values, got: JSON.stringify(input) });
  };
  return Array.isArray(value) ? value.map(one) : [one(value)];
}

const SEARCHED = 'a value, or several as a list';

/** A schema whose values are read by `read`, and whose errors are those of `read`. */
const readBy = (read: (value: unknown) => unknown): z.ZodType<unknown> =>
  z.unknown().superRefine((value, context) => {
    try {
      read(value);
    } catch (error) {
      if (!(error instanceof MeshwrightError)) throw error;
      context.addIssue({ code: 'custom', message: error.detail.expected });
    }
  });

function numberSetFromYaml(value: unknown, place: string, finite: boolean): NumberSet {
  const list = Array.isArray(value) ? value : [value];
  if (list.length > 0 && list.every((one) => typeof one === 'number' || typeof one === 'string'))
    return parseNumberSet(list.join(','), place, finite);
  throw new MeshwrightError('JOB_INVALID', { place, expected: NUMBER_SET, got: JSON.stringify(value) });
}

const HEADROOM = 'a share of memory of at least 0 % and below 100 %, as in 10% or 0.1';

/** @throws MeshwrightError JOB_INVALID */
export function readHeadroom(value: unknown, place: string): number {
  const [, digits, percent] = /^\s*(\d+(?:\.\d+)?)\s*(%?)\s*$/.exec(String(value)) ?? [];
  const share = Number(digits ?? Number.NaN) / (percent === '%' ? 100 : 1);
  if (share >= 0 && share < 1) return share;
  throw new MeshwrightError('JOB_INVALID', { place, expected: HEADROOM, got: JSON.stringify(value) });
}

const setSchema = (finite = false) => readBy((value) => numberSetFromYaml(value, '', finite)).optional();
const choiceSchema = (name: ListedOption) => readBy((value) => fromYaml(name, value, SEARCHED)).optional();

export const searchSchema = z.strictObject({
  chips: setSchema(true),
  batch: setSchema(true),
  headroom: readBy((value) => readHeadroom(value, '')).optional(),
  mesh: z.strictObject(Object.fromEntries(MESH_AXES.map((name) => [name, setSchema()]))).optional(),
  microbatches: setSchema(),
  ...Object.fromEntries(
    LISTED_OPTIONS.filter((name) => !isPrecision(name)).map((name) => [name, choiceSchema(name)] as const),
  ),
  precision: z
    .strictObject(
      Object.fromEntries(
        LISTED_OPTIONS.filter(isPrecision).map((name) => [PRECISION_FIELDS[name], choiceSchema(name)] as const),
      ),
    )
    .optional(),
});

export type SearchInput = z.infer<typeof searchSchema>;

/** The space that a block `search:` describes. */
export function spaceOfInput(input: SearchInput): Space {
  const fields = input as Readonly<Record<string, unknown>>;
  const precision = (fields['precision'] ?? {}) as Readonly<Record<string, unknown>>;
  const set = (value: unknown, finite = false) => numberSetFromYaml(value, 'search', finite);
  const options = Object.fromEntries(
    LISTED_OPTIONS.flatMap((name) => {
      const value = isPrecision(name) ? precision[PRECISION_FIELDS[name]] : fields[name];
      return value === undefined ? [] : [[name, fromYaml(name, value, `search.${name}`)]];
    }),
  ) as OptionChoices;
  const { chips, batch, microbatches, headroom } = fields;
  const mesh = Object.entries((fields['mesh'] ?? {}) as Record<string, unknown>).filter(
    ([, value]) => value !== undefined,
  );
  return {
    ...(chips === undefined ? {} : { chips: set(chips, true) }),
    ...(batch === undefined ? {} : { batch: set(batch, true) }),
    ...(mesh.length === 0 ? {} : { mesh: Object.fromEntries(mesh.map(([axis, value]) => [axis, set(value)])) }),
    ...(microbatches === undefined ? {} : { microbatches: set(microbatches) }),
    ...(headroom === undefined ? {} : { headroom: readHeadroom(headroom, 'search.headroom') }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}

/**
 * `model=1..16,pipe=1,2,4`
 *
 * @throws MeshwrightError JOB_INVALID or FIELD_UNKNOWN
 */
export function parseMeshSpace(text: string, place: string): Partial<Record<AxisName, NumberSet>> {
  const mesh: Partial<Record<AxisName, NumberSet>> = {};
  for (const part of text.split(/,(?=[^,=]*=)/)) {
    const [, name = part.trim(), set = ''] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    if (!isMeshAxis(name)) {
      throw new MeshwrightError('FIELD_UNKNOWN', {
        place,
        expected: `axes ${MESH_AXES.join(', ')} as in model=1..16,pipe=1,2,4`,
        got: JSON.stringify(part),
        hint: `did you mean ${nearest(name, MESH_AXES)}?`,
      });
    }
    if (mesh[name] !== undefined)
      throw new MeshwrightError('JOB_INVALID', { place, expected: 'each axis once', got: `${name} twice` });
    if (readNumberSet(set) === undefined) {
      const expected = `${NUMBER_SET}, for ${name}`;
      throw new MeshwrightError('JOB_INVALID', { place, expected, got: JSON.stringify(set) });
    }
    mesh[name] = parseNumberSet(set, place);
  }
  return mesh;
}

/** `over` wins, dimension by dimension. */
export const mergeSpaces = (base: Space, over: Space): Space => ({
  ...base,
  ...over,
  ...(base.mesh === undefined && over.mesh === undefined ? {} : { mesh: { ...base.mesh, ...over.mesh } }),
  ...(base.options === undefined && over.options === undefined
    ? {}
    : { options: { ...base.options, ...over.options } }),
});

/** Chips that the axes of a mesh multiply to, where each has one size; absent where they are left open. */
export function chipsOfMesh(mesh: Space['mesh'] = {}): number | undefined {
  const sizes = Object.values(mesh).map(onlyNumber);
  if (sizes.length === 0 || sizes.includes(undefined)) return undefined;
  return sizes.reduce<number>((product, size) => product * size!, 1);
}

/** The space that a block `plan:` describes: one value for what it gives. */
export function spaceOfPlan(input: PlanInput): Space {
  const { microbatches } = input;
  const listed = omit(optionsOf(input), 'mesh', 'microbatches');
  const sizes = Object.entries(input.mesh ?? {}).flatMap(([axis, size]) =>
    size === undefined ? [] : [[axis, numbers(size)] as const],
  );
  const options = Object.fromEntries(Object.entries(listed).map(([name, value]) => [name, [value]])) as OptionChoices;
  return {
    ...(sizes.length === 0 ? {} : { mesh: Object.fromEntries(sizes) }),
    ...(microbatches === undefined ? {} : { microbatches: numbers(microbatches) }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}
