/** A YAML file checked against a schema; what is wrong is reported with the file's line and the nearest known name. */
import { distance } from 'fastest-levenshtein';
import { LineCounter, isMap, isNode, isScalar, parseDocument } from 'yaml';
import { z } from 'zod';
import { MeshwrightError } from './errors.js';
import type { ErrorCode } from './errors.js';
import { nearest } from './text.js';

export type Path = readonly (string | number)[];

export interface SourceFile<T> {
  readonly value: T;
  /** `hardware-profiles/tpu-v4.yaml:14 (chip.memory.capacity)` */
  place(path: Path): string;
}

const dotted = (path: Path): string => path.map(String).join('.');

/** A field that is named only to say what stands in its place. */
const isForbidden = (schema: unknown): boolean =>
  schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodNever;

/** The known field names of the object at `path` in a schema, as the data chooses among alternatives. */
function fieldsAt(schema: unknown, path: Path, data: unknown): string[] {
  if (schema instanceof z.ZodOptional) return fieldsAt(schema.unwrap(), path, data);
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const option = schema.options.find((candidate) => {
      const kind = candidate instanceof z.ZodObject ? (candidate.shape['kind'] as unknown) : undefined;
      return kind instanceof z.ZodLiteral && kind.value === (data as { kind?: unknown } | undefined)?.kind;
    });
    return fieldsAt(option, path, data);
  }
  if (schema instanceof z.ZodUnion) {
    return schema.options.flatMap((option: unknown) => fieldsAt(option, path, data));
  }
  const [next, ...rest] = path;
  if (schema instanceof z.ZodArray)
    return fieldsAt(schema.element, rest, (data as unknown[] | undefined)?.[Number(next)]);
  if (!(schema instanceof z.ZodObject)) return [];
  const shape = schema.shape as Record<string, unknown>;
  if (next === undefined) return Object.keys(shape).filter((name) => !isForbidden(shape[name]));
  return fieldsAt(shape[next], rest, (data as Record<string, unknown> | undefined)?.[next]);
}

type Issue = z.core.$ZodIssue;

/** What is wrong inside the alternative that the value was meant to be: the one that gets furthest into it. */
function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const depth = ({ path }: Issue): number => path.length;
  const inner = issue.errors
    .flat()
    .map((one) => innermost({ ...one, path: [...issue.path, ...one.path] }))
    .toSorted(
      (a, b) => depth(b) - depth(a) || Number(b.code === 'unrecognized_keys') - Number(a.code === 'unrecognized_keys'),
    );
  const [best] = inner;
  const isInside = best !== undefined && (depth(best) > depth(issue) || best.code === 'unrecognized_keys');
  return isInside ? best : issue;
}

const LIMITS: Readonly<Record<string, string>> = {
  '>': 'more than',
  '>=': 'at least',
  '<': 'less than',
  '<=': 'at most',
};

/** What the schema library's names of types are called here. */
const TYPES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'fields',
  string: 'text',
};

const listed = (names: readonly unknown[]): string =>
  names.length === 1 ? String(names[0]) : `one of ${names.join(', ')}`;

/** The names that a value may be one of, where that is what is wrong with it. */
function choicesOf(issue: Issue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  // Of alternatives that a field chooses among.
  if (issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options))
    return issue.options.map(String);
  return [];
}

/** A schema's message as what was expected, without the schema library's own words around it. */
const expectation = (issue: Issue): string => {
  const { message } = issue;
  const choices = choicesOf(issue);
  if (choices.length > 0) return listed(choices);
  const [, sign, limit] = /^Too (?:small|big): expected \w+ to (?:be|have) ([<>]=?)(.*)$/.exec(message) ?? [];
  if (sign !== undefined) return `${LIMITS[sign]} ${limit}`;
  const said = /^Invalid (?:input|option): expected (.*?)(?:, received .*)?$/.exec(message)?.[1] ?? message;
  return TYPES[said] ?? said.replaceAll('"', '').replaceAll('|', ', ');
};

const show = (value: unknown): string => JSON.stringify(value) ?? 'nothing';

const at = (data: unknown, path: Path): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], data);

/** A YAML document before it is checked: what it says, and where. */
export interface RawSource {
  readonly data: unknown;
  /** Whether the document has a field at `path`. */
  has(path: Path): boolean;
  place(path: Path): string;
}

/**
 * @param file shown in errors
 * @param firstLine the number of the first line of `text`, where it is a part of the file
 * @throws MeshwrightError `invalidCode` on bad YAML
 */
export function readSource(text: string, file: string, invalidCode: ErrorCode, firstLine = 1): RawSource {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    throw new MeshwrightError(invalidCode, {
      place: `${file}:${(syntax.linePos?.[0].line ?? 1) + firstLine - 1}`,
      expected: 'valid YAML',
      got: syntax.message.split('\n')[0]!,
    });
  }
  /** The line of the deepest part of `path` that the file has. */
  const line = (path: Path): number => {
    for (let length = path.length; length > 0; length--) {
      const parent = document.getIn(path.slice(0, length - 1), true);
      // A field is where its name is: its value may begin on the next line.
      const isNamed = (key: unknown): boolean => isScalar(key) && key.value === path[length - 1];
      const key = isMap(parent) ? parent.items.find((item) => isNamed(item.key))?.key : undefined;
      const node = key ?? document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
    }
    return 1;
  };
  return {
    data: document.toJS(),
    has: (path) => document.hasIn(path),
    place: (path) => `${file}:${line(path) + firstLine - 1}${path.length === 0 ? '' : ` (${dotted(path)})`}`,
  };
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What stands for one thing as a whole, with its source: nothing of it is kept when another takes its place. */
const isSourced = (value: Fields): boolean => 'source' in value || 'value' in value;

function merged(base: unknown, over: unknown): unknown {
  if (!isFields(base) || !isFields(over) || isSourced(base) || isSourced(over)) return over;
  // Alternatives have fields of their own.
  if ('kind' in over && over['kind'] !== base['kind']) return over;
  const both = { ...base };
  for (const [name, value] of Object.entries(over)) both[name] = name in base ? merged(base[name], value) : value;
  return both;
}

/** A document in which the fields of `over` take the place of those of `base`; sourced values and lists do as a whole. */
export function extendSource(base: RawSource, over: RawSource): RawSource {
  const longestIn = (path: Path): number => {
    for (let length = path.length; length > 0; length--) if (over.has(path.slice(0, length))) return length;
    return 0;
  };
  return {
    data: merged(base.data, over.data),
    has: (path) => over.has(path) || base.has(path),
    place: (path) => (longestIn(path) < path.length && base.has(path) ? base.place(path) : over.place(path)),
  };
}

/**
 * @throws MeshwrightError `invalidCode` on a wrong field, FIELD_UNKNOWN on a field the schema lacks
 */
export function checkSource<T>(
  { data, place }: RawSource,
  schema: z.ZodType<T>,
  invalidCode: ErrorCode,
): SourceFile<T> {
  const parsed = schema.safeParse(data);
  if (parsed.success) return { value: parsed.data, place };
  const issues = parsed.error.issues.map(innermost);
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
  const path = issue.path.map((key) => (typeof key === 'symbol' ? key.toString() : key));
  if (issue.code === 'unrecognized_keys') {
    const [unknown] = issue.keys;
    const known = fieldsAt(schema, path, data);
    throw new MeshwrightError('FIELD_UNKNOWN', {
      place: place([...path, unknown!]),
      expected: `one of ${known.join(', ')}`,
      got: unknown!,
      ...(known.length > 0 ? { hint: `did you mean ${nearest(unknown!, known)}?` } : {}),
    });
  }
  const got = at(data, path);
  const typed = typeof got === 'string' ? got : '';
  const meant = choicesOf(issue).filter((choice) => distance(choice, typed) <= typed.length / 2);
  throw new MeshwrightError(invalidCode, {
    place: place(path),
    expected: expectation(issue),
    got: show(got),
    ...(meant.length > 0 ? { hint: `did you mean ${nearest(typed, meant)}?` } : {}),
  });
}

/**
 * @param file shown in errors
 * @param invalidCode the code of what is wrong with the file as a whole or with a field's value
 * @param firstLine the number of the first line of `text`, where it is a part of the file
 * @throws MeshwrightError `invalidCode` on bad YAML or a wrong field, FIELD_UNKNOWN on a field the schema lacks
 */
export const parseSource = <T>(
  text: string,
  file: string,
  schema: z.ZodType<T>,
  invalidCode: ErrorCode,
  firstLine = 1,
): SourceFile<T> => checkSource(readSource(text, file, invalidCode, firstLine), schema, invalidCode);
