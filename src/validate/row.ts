/**
 * A measured run, one JSON object a line. Only what a prediction can't do without is required; fields that are not known
 * here are left alone, since they may be notes. A field that is missing or wrong is no error of the file, no more than a
 * name that is not known (of a chip, a schedule, a type): such a row is counted as one that can't be predicted.
 */
import { z } from 'zod';
import { readUtf8 } from '../encoding.js';
import { MeshwrightError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { parseSource } from '../source.js';

const count = z.number('a whole number of at least 1').int('a whole number').min(1, 'at least 1');
const positive = z.number('a number above 0').gt(0, 'a number above 0');
const time = z.number('seconds').min(0, 'at least 0');
const text = z.string('text').min(1, 'text');

const model = z.looseObject({
  name: text,
  family: text,
  layers: count,
  width: count,
  heads: count,
  keyValueHeads: count.nullish(),
  headWidth: count.nullish(),
  mlpWidth: count,
  gatedMlp: z.boolean().nullish(),
  vocabulary: count,
  /** Tokens. */
  sequenceLength: count,
  tiedEmbeddings: z.boolean().nullish(),
  parallelBlock: z.boolean().nullish(),
});

const hardware = z.looseObject({
  chip: text,
  chips: count,
  chipsPerNode: count.nullish(),
  network: z
    .looseObject({
      /** One way, all cards of a node together. */
      interNodeBytesPerSecondPerNode: positive.nullish(),
      slices: count.nullish(),
      chipsPerSlice: count.nullish(),
      sliceShape: z.array(count).min(1).nullish(),
    })
    .nullish(),
});

const plan = z.looseObject({
  data: count,
  model: count,
  pipe: count,
  sequence: count.nullish(),
  zeroStage: z.number().int().min(0, 'at least 0').max(3, 'at most 3').nullish(),
  shardParametersOver: count.nullish(),
  sequenceSharded: z.boolean().nullish(),
  /** Sequences that a data rank computes at once. */
  microbatch: positive,
  /** Sequences a step. */
  globalBatch: positive,
  virtualStages: count.nullish(),
  schedule: text.nullish(),
  recompute: text.nullish(),
  precision: text,
  attention: text.nullish(),
  overlap: text.nullish(),
  fusedNorm: z.boolean().nullish(),
  firstAndLastStageLayersFewer: z.number().int().min(0, 'at least 0').nullish(),
  /** Of one microbatch on one stage. */
  profiledStageSeconds: z
    .looseObject({ forward: time, backwardInput: time, backwardWeight: time, transfer: time })
    .nullish(),
  /** What a framework calls what it keeps, makes again or offloads. */
  rematerializationSettings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).nullish(),
  recomputedForwardShare: z.number().min(0, 'at least 0').max(1, 'at most 1').nullish(),
  compiled: z.boolean().nullish(),
});

const measured = z.looseObject({
  stepTimeSeconds: positive.nullish(),
  memoryBytesPerChip: positive.nullish(),
  fits: z.boolean().nullish(),
});

export const rowSchema = z.looseObject({ id: text, set: text, stack: text, model, hardware, plan, measured });
export type Row = z.infer<typeof rowSchema>;

/** A row that names itself and its set, and lacks what a prediction can't do without. */
export interface UnusableRow {
  readonly id: string;
  readonly set: string;
  /** The line and the field. */
  readonly reason: string;
  readonly measured: z.infer<typeof measured>;
}

export interface Rows {
  readonly rows: readonly Row[];
  readonly unusable: readonly UnusableRow[];
}

const named = z.looseObject({ id: text, set: text, measured: measured.catch({}) });

/** @throws MeshwrightError RUN_INVALID of a line that is no JSON */
function parseLine(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new MeshwrightError('RUN_INVALID', {
      place,
      expected: 'one JSON object a line',
      got: reasonOf(error),
    });
  }
}

/**
 * @param file shown in errors
 * @throws MeshwrightError RUN_INVALID with the line of what is no JSON or names no row and set, and of a file without a row
 * that can be used
 */
export function parseRows(text: string, file: string): Rows {
  const rows: Row[] = [];
  const unusable: UnusableRow[] = [];
  let first: MeshwrightError | undefined;
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    if (line.trim() === '') continue;
    const number = index + 1;
    const data = parseLine(line, `${file}:${number}`);
    const parsed = rowSchema.safeParse(data);
    if (parsed.success) {
      rows.push(parsed.data);
      continue;
    }
    const error = faultOf(line, file, number);
    const name = named.safeParse(data);
    if (!name.success) throw error;
    first ??= error;
    const { id, set, measured } = name.data;
    unusable.push({ id, set, measured, reason: error.message });
  }
  if (rows.length > 0) return { rows, unusable };
  throw (
    first ??
    new MeshwrightError('RUN_INVALID', {
      place: file,
      expected: 'measured runs, one JSON object a line',
      got: 'none',
    })
  );
}

/** What is wrong with a row, and where: JSON is YAML, whose reader says it. */
function faultOf(line: string, file: string, number: number): MeshwrightError {
  try {
    parseSource(line, file, rowSchema, 'RUN_INVALID', number);
  } catch (error) {
    if (error instanceof MeshwrightError) return error;
    throw error;
  }
  throw new Error(`${file}:${number} is a row by one reader and none by the other`);
}

/** @throws MeshwrightError DATA_NOT_FOUND of a file that can't be read, and as `parseRows` */
export function readRows(file: string): Rows {
  let text: string;
  try {
    text = readUtf8(file);
  } catch (error) {
    throw new MeshwrightError('DATA_NOT_FOUND', {
      place: '--runs',
      expected: 'a file of measured runs that can be read',
      got: reasonOf(error),
    });
  }
  return parseRows(text, file);
}
