import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { JobInput } from '../../src/job/index.js';
import { resolveJob } from '../../src/job/index.js';
import { createRandom } from '../../src/random.js';
import { splitText } from '../../src/train/data/text.js';
import type { Batch, TextEvaluation } from '../../src/train/index.js';
import { openJobData } from '../../src/train/index.js';
import type { TrainingData, TrainingSource } from '../../src/train/source.js';
import { temporaryFolder } from './data/images.js';

const SEQUENCE = 64;
/** No sequence of it repeats. */
const random = createRandom(1);
const TEXT = Uint8Array.from({ length: 6000 }, () => 1 + random.below(127));
const { train, heldOut } = splitText(TEXT, SEQUENCE, '');

let dir: string;
beforeAll(async () => {
  dir = await temporaryFolder();
  await writeFile(join(dir, 'text'), TEXT);
});

type Change = JobInput & { seed?: number; startBatch?: number };

async function open({ seed = 5, ...rest }: JobInput & { seed?: number } = {}): Promise<TrainingData> {
  const training = { text: join(dir, 'text'), seed };
  const base = { model: 'gpt-tiny', hardware: 'local', chips: 2, batch: 8, training };
  return openJobData(resolveJob({ ...base, ...rest }, () => true));
}
async function source({ startBatch = 0, ...change }: Change = {}): Promise<TrainingSource> {
  return (await open(change)).start({ imageWorker: new URL('file:///none'), onSkipped: () => undefined, startBatch });
}
type Tokens = Readonly<Record<'tokens' | 'targets', Int32Array>>;
const take = async (from: TrainingSource, count: number): Promise<Tokens[]> => {
  const batches: Tokens[] = [];
  for (let index = 0; index < count; index++) batches.push((await from.next()).data as Tokens);
  return batches;
};

describe('the batches of a text', () => {
  it('are the same for the same seed whatever the mesh, and others for another', async () => {
    const batches = await take(await source(), 5);
    const plan = { mesh: { data: 2, model: 2 }, microbatches: 2 };
    expect(await take(await source({ chips: 4, plan }), 5)).toEqual(batches);
    expect(await take(await source({ seed: 6 }), 5)).not.toEqual(batches);
    expect(new Set(batches.map(({ tokens }) => tokens.join())).size).toBe(5);
  });

  it('are sequences of the training part, from its beginning to its end, each byte followed by its target', async () => {
    const text = Buffer.from(train);
    const starts: number[] = [];
    for (const { tokens, targets } of await take(await source(), 200)) {
      expect([tokens.length, targets.length]).toEqual([8 * SEQUENCE, 8 * SEQUENCE]);
      for (let at = 0; at < tokens.length; at += SEQUENCE) {
        const row = Buffer.from([...tokens.subarray(at, at + SEQUENCE), targets[at + SEQUENCE - 1]!]);
        const start = text.indexOf(row);
        expect(start).toBeGreaterThanOrEqual(0);
        expect([...targets.subarray(at, at + SEQUENCE)]).toEqual([...row.subarray(1)]);
        starts.push(start);
      }
    }
    const last = train.length - 1 - SEQUENCE;
    expect(Math.min(...starts)).toBeLessThan(0.01 * last);
    expect(Math.max(...starts)).toBeGreaterThan(0.99 * last);
    expect(Math.max(...starts)).toBeLessThanOrEqual(last);
  });

  it('go on after any batch as if those before had been taken', async () => {
    const batches = await take(await source(), 7);
    for (const startBatch of [1, 4])
      expect(await take(await source({ startBatch }), 3)).toEqual(batches.slice(startBatch, startBatch + 3));
  });

  it('make an epoch of as many sequences as do not overlap', async () => {
    const [{ batchesPerEpoch }, from] = [await open(), await source()];
    expect(batchesPerEpoch).toBe(Math.floor((train.length - 1) / SEQUENCE / 8));
    const epochs: number[] = [];
    for (let index = 0; index < 2 * batchesPerEpoch + 1; index++) epochs.push((await from.next()).epoch);
    expect(epochs.filter((epoch) => epoch === 0)).toHaveLength(batchesPerEpoch);
    expect(epochs.at(-1)).toBe(2);
  });
});

describe('the evaluation of a text', () => {
  /** A model whose loss differs from sequence to sequence. */
  const lossOf = (tokens: Int32Array, targets: Int32Array): number =>
    tokens.reduce((total, token, index) => total + token * (index + 1) + 3 * targets[index]!, 0) / 1e5;
  const meanLoss = async (batch: Batch) => {
    const { tokens, targets } = batch as Tokens;
    const rows = tokens.length / SEQUENCE;
    let total = 0;
    for (let row = 0; row < rows; row++) {
      const cut = [row * SEQUENCE, (row + 1) * SEQUENCE] as const;
      total += lossOf(tokens.subarray(...cut), targets.subarray(...cut));
    }
    return Promise.resolve(Float64Array.of(total / rows));
  };

  it('is the mean over the held-out sequences, each once, whatever the size of a batch', async () => {
    const part = Int32Array.from(heldOut);
    const count = (heldOut.length - 1) / SEQUENCE;
    let expected = 0;
    for (let at = 0; at < count * SEQUENCE; at += SEQUENCE)
      expected += lossOf(part.subarray(at, at + SEQUENCE), part.subarray(at + 1, at + 1 + SEQUENCE)) / count;
    const from = await source();
    expect(from.heldOut!.output).toBe('loss');
    for (const examples of [1, 2, 3, count, count + 2, 16]) {
      const got = (await from.heldOut!.evaluate(meanLoss, examples)) as TextEvaluation;
      expect(got.crossEntropyNatsPerByte, `batches of ${examples}`).toBeCloseTo(expected, 10);
      expect(got.perplexityPerByte).toBeCloseTo(Math.exp(expected), 8);
      expect(got.bytes).toBe(count * SEQUENCE);
    }
  });
});
