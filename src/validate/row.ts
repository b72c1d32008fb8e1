/**
 * A measured run, one JSON object a line. Only what a prediction can't do without is required; fields that are not known
 * here are left alone, since they may be notes. A name that is not known (of a chip, a schedule, a type) is no error of
 * the file either: such a row is counted as one that can't be predicted.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
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

/**
 * @param file shown in errors
 * @throws MeshwrightError RUN_INVALID with the line and the field of a row that is wrong, or of a file without rows
 */
export function parseRows(text: string, file: string): Row[] {
  const rows = text.split('\n').flatMap((line, index): Row[] => {
    if (line.trim() === '') return [];
    const number = index + 1;
    let data: unknown;
    try {
      data = JSON.parse(line);
    } catch (error) {
      throw new MeshwrightError('RUN_INVALID', {
        place: `${file}:${number}`,
        expected: 'one JSON object a line',
        got: (error as Error).message,
      });
    }
    const parsed = rowSchema.safeParse(data);
    // JSON is YAML, whose reader says what is wrong and where.
    return [parsed.success ? parsed.data : parseSource(line, file, rowSchema, 'RUN_INVALID', number).value];
  });
  if (rows.length > 0) return rows;
  throw new MeshwrightError('RUN_INVALID', {
    place: file,
    expected: 'measured runs, one JSON object a line',
    got: 'none',
  });
}

/** @throws MeshwrightError DATA_NOT_FOUND of a file that can't be read, and as `parseRows` */
export function readRows(file: string): Row[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new MeshwrightError('DATA_NOT_FOUND', {
      place: '--runs',
      expected: 'a file of measured runs that can be read',
      got: (error as Error).message,
    });
  }
  return parseRows(text, file);
}
