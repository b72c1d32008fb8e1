/** How values of plan options are written: in YAML, and as the text of the short form and of flags. */
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import type { AxisName, Mesh } from '../mesh/index.js';
import { AXIS_NAMES, MESH_AXES, axisSize, createMesh, formatMesh } from '../mesh/index.js';
import { nearest } from '../text.js';
import type { Bytes } from '../units.js';
import { bytes, formatExactBytes, parseQuantity } from '../units.js';

export interface Form<Value, Input> {
  /** What is accepted in YAML; its messages say what was expected. */
  readonly schema: z.ZodType<Input>;
  /** For people: `none, selective, matmuls, full`. */
  readonly values: string;
  /** What YAML would say for a text; `schema` decides whether it is right. */
  fromText(text: string, place: string): unknown;
  toText(value: Value): string;
  fromInput(input: Input): Value;
  toInput(value: Value): Input;
}

const same = <T>(value: T): T => value;

export function choice<const T extends string>(choices: readonly T[]): Form<T, T> {
  const values = choices.join(', ');
  const schema = z.enum(choices, `one of ${values}`) as unknown as z.ZodType<T>;
  return { schema, values, fromText: same, toText: same, fromInput: same, toInput: same };
}

export function wholeNumber(least: number): Form<number, number> {
  const values = `a whole number of at least ${least}`;
  return {
    schema: z.number(values).int(values).min(least, values),
    values,
    fromText: (text) => (/^\d+$/.test(text) ? Number(text) : text),
    toText: String,
    fromInput: same,
    toInput: same,
  };
}

/** A word, or a whole number. */
export function wholeNumberOr<const T extends string>(word: T, least: number): Form<number | T, number | T> {
  const { schema } = wholeNumber(least);
  const values = `${word}, or a whole number of at least ${least}`;
  return {
    schema: z.union([z.literal(word), schema], values) as unknown as z.ZodType<number | T>,
    values,
    fromText: (text) => (/^\d+$/.test(text) ? Number(text) : text),
    toText: String,
    fromInput: same,
    toInput: same,
  };
}

const BOOLEANS = new Map([
  ['true', true],
  ['false', false],
]);

export const boolean: Form<boolean, boolean> = {
  schema: z.boolean('true or false'),
  values: 'true, false',
  fromText: (text) => BOOLEANS.get(text) ?? text,
  toText: String,
  fromInput: same,
  toInput: same,
};

/** Lengths of a torus: `[8, 8, 16]`, `8x8x16`. */
export const slice: Form<readonly number[], readonly number[]> = {
  schema: z.array(wholeNumber(1).schema, 'whole lengths, as in [8, 8, 16]').min(1, 'at least one length'),
  values: 'lengths, as in 8x8x16',
  fromText: (text, place) => text.split(/[x×]/).map((length) => readText(wholeNumber(1), length, place)),
  toText: (value) => value.join('x'),
  fromInput: same,
  toInput: (value) => [...value],
};

type Sizes = { readonly [A in AxisName]?: number | undefined };

/**
 * `data=64,model=16`
 *
 * @throws MeshwrightError JOB_INVALID or FIELD_UNKNOWN naming the place
 */
export function parseMesh(text: string, place: string): Partial<Record<AxisName, number>> {
  const mesh: Partial<Record<AxisName, number>> = {};
  for (const part of text.split(',')) {
    const [, name = part.trim(), size = ''] = /^\s*(.*?)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    if (!isMeshAxis(name)) {
      throw new MeshwrightError('FIELD_UNKNOWN', {
        place,
        expected: `axes ${MESH_AXES.join(', ')} as in data=4,model=2`,
        got: JSON.stringify(part),
        hint: `did you mean ${nearest(name, MESH_AXES)}?`,
      });
    }
    if (!/^[1-9]\d*$/.test(size)) {
      throw new MeshwrightError('JOB_INVALID', {
        place,
        expected: `a whole number of at least 1 for ${name}`,
        got: JSON.stringify(size),
      });
    }
    if (mesh[name] !== undefined) {
      throw new MeshwrightError('JOB_INVALID', { place, expected: 'each axis once', got: `${name} twice` });
    }
    mesh[name] = Number(size);
  }
  return mesh;
}

export const isMeshAxis = (name: string): name is AxisName => (MESH_AXES as readonly string[]).includes(name);
const isAxis = (name: string): name is (typeof AXIS_NAMES)[number] => (AXIS_NAMES as readonly string[]).includes(name);

export const mesh: Form<Mesh, Sizes> = {
  schema: z.strictObject(Object.fromEntries(MESH_AXES.map((name) => [name, wholeNumber(1).schema.optional()]))),
  values: `sizes of ${MESH_AXES.join(', ')}`,
  fromText: parseMesh,
  toText: formatMesh,
  fromInput: createMesh,
  toInput: (value) =>
    Object.fromEntries(
      MESH_AXES.map((name) => [name, axisSize(value, name)] as const).filter(
        ([name, size]) => name === 'data' || name === 'model' || size > 1,
      ),
    ),
};

type ListInput = string | number | readonly (string | number)[];
const part = z.union([z.string(), z.number()]);

/**
 * Parts between commas, in YAML also as a list.
 *
 * @param parse nothing where a text is wrong
 */
function listed<Value>(
  values: string,
  parse: (text: string, parts: readonly string[]) => Value | undefined,
  toText: (value: Value) => string,
): Form<Value, ListInput> {
  const read = (input: ListInput): Value | undefined => {
    const text = Array.isArray(input) ? input.join(',') : String(input);
    return parse(
      text,
      text.split(',').map((one) => one.trim()),
    );
  };
  return {
    schema: z.union([part, z.array(part)], values).refine((input) => read(input) !== undefined, values),
    values,
    fromText: same,
    toText,
    fromInput: (input) => read(input)!,
    toInput: toText,
  };
}

/** Some of the mesh's axes, in its order. */
export const axes = listed<readonly AxisName[]>(
  `one or more of ${AXIS_NAMES.join(', ')}`,
  (_, parts) => (parts.every(isAxis) ? AXIS_NAMES.filter((name) => parts.includes(name)) : undefined),
  (value) => value.join(','),
);

/** Axes in an order of their own. */
export const axisOrder = listed<readonly AxisName[]>(
  `one or more of ${MESH_AXES.join(', ')}, the innermost last`,
  (_, parts) => (parts.every(isMeshAxis) && new Set(parts).size === parts.length ? parts : undefined),
  (value) => value.join(','),
);

export type All<T> = 'all' | readonly T[];

/** `all`, or names with `*` for any run of characters. */
export const patterns = listed<All<string>>(
  'all, or names in which * stands for anything, as in encoder/*/kernel',
  (text, parts) => {
    if (text === 'all') return text;
    return parts.every((one) => /^[\w*./:-]+$/.test(one)) ? parts : undefined;
  },
  (value) => (value === 'all' ? value : value.join(',')),
);

/** `none`, or names with `*` for any run of characters. */
export const patternsOrNone = listed<'none' | readonly string[]>(
  'none, or names in which * stands for anything, as in */attention/*/kernel',
  (text, parts) => {
    if (text === 'none') return text;
    return parts.every((one) => /^[\w*./:-]+$/.test(one)) ? parts : undefined;
  },
  (value) => (value === 'none' ? value : value.join(',')),
);

/** `0-11,40` → the layers, or nothing where that is no list of ranges. */
function layersOf(ranges: readonly string[]): number[] | undefined {
  const found = new Set<number>();
  for (const range of ranges) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
    if (first === undefined || Number(first) > Number(last)) return undefined;
    for (let layer = Number(first); layer <= Number(last); layer++) found.add(layer);
  }
  return [...found].sort((a, b) => a - b);
}

function rangesOf(all: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const layer of all) {
    const before = ranges.at(-1);
    if (before?.[1] === layer - 1) before[1] = layer;
    else ranges.push([layer, layer]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}

/** `all`, or layers from 0: `[0, 1, 2]`, `0-11,40-47`. */
export const layers = listed<All<number>>(
  'all, or layers from 0, as in 0-11,40-47',
  (text, parts) => (text === 'all' ? text : layersOf(parts)),
  (value) => (value === 'all' ? value : rangesOf(value)),
);

/** How layers are dealt to the stages of a pipeline: by a rule, or so many to each virtual stage. */
const STAGE_LAYER_RULES = ['balanced', 'even', 'even-modules', 'first-and-last-fewer'] as const;
export type StageLayers = (typeof STAGE_LAYER_RULES)[number] | readonly number[];

const isRule = (text: string): text is (typeof STAGE_LAYER_RULES)[number] =>
  (STAGE_LAYER_RULES as readonly string[]).includes(text);

/** `balanced`, or layers of each virtual stage: `[7, 8, 8, 6]`, `7,8,8,6`. */
export const stageLayers = listed<StageLayers>(
  `${STAGE_LAYER_RULES.join(', ')}, or layers of each virtual stage, as in 7,8,8,6`,
  (text, parts) => {
    if (isRule(text)) return text;
    return parts.every((one) => /^\d{1,5}$/.test(one)) ? parts.map(Number) : undefined;
  },
  (value) => (typeof value === 'string' ? value : value.join(',')),
);

const BYTES_OR_NONE = 'none, or bytes with a unit, as in 25MB';

function isBytes(text: string): boolean {
  try {
    return parseQuantity(text, 'bytes', 'bytes') >= 1;
  } catch {
    return false;
  }
}

/** `none`, or an amount of at least a byte: `25 MB`. */
export const bytesOrNone: Form<Bytes | 'none', string> = {
  schema: z.string(BYTES_OR_NONE).refine((text) => text === 'none' || isBytes(text), BYTES_OR_NONE),
  values: BYTES_OR_NONE,
  fromText: same,
  toText: (value) => (value === 'none' ? value : formatExactBytes(value)),
  fromInput: (input) => (input === 'none' ? input : bytes(Math.round(parseQuantity(input, 'bytes', 'bytes')))),
  toInput: (value) => (value === 'none' ? value : formatExactBytes(value)),
};

/**
 * The input that a text of the short form or a flag stands for.
 *
 * @throws MeshwrightError JOB_INVALID, or FIELD_UNKNOWN of an axis
 */
export function readText<Input>(form: Form<unknown, Input>, text: string, place: string): Input {
  const parsed = form.schema.safeParse(form.fromText(text, place));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new MeshwrightError('JOB_INVALID', { place, expected: issue!.message, got: JSON.stringify(text) });
}
