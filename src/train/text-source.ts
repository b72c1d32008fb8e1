/** A text as what a decoder trains on, byte by byte. */
import { createHash } from 'node:crypto';
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import type { DecoderConfig } from '../models/index.js';
import { createRandom } from '../random.js';
import type { SplitText } from './data/text.js';
import { byteEntropy, readText, sequenceCount, sequencesAt, splitText } from './data/text.js';
import type { TextEvaluation } from './evaluation.js';
import type { RunForward, SourceOptions, TrainingData, TrainingSource } from './source.js';

const BYTE_VALUES = 256;

/**
 * @throws MeshwrightError JOB_INVALID of a model whose vocabulary lacks bytes and of a batch of more sequences than the
 *   text has, DATA_TOO_SHORT, and as `readText`
 */
export async function openText(job: Job, model: DecoderConfig, path: string): Promise<TrainingData> {
  const { sequence, vocabulary } = model;
  if (vocabulary < BYTE_VALUES) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'model.vocabulary',
      expected: `at least ${BYTE_VALUES}: the tokens are bytes, since there is no other tokenizer`,
      got: String(vocabulary),
    });
  }
  const text = splitText(await readText(path), sequence, path);
  const sequences = sequenceCount(text.train, sequence);
  if (job.batch > sequences) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'batch',
      expected: `at most ${sequences}, the sequences of ${sequence} bytes that there are to train on`,
      got: String(job.batch),
    });
  }
  // Sequences begin anywhere in the text: as many as make up sequences that do not overlap.
  const batchesPerEpoch = Math.floor(sequences / job.batch);
  return {
    field: 'text',
    about: `${text.train.length} bytes of text to train on`,
    digest: createHash('sha256').update(text.train).digest('hex'),
    batchesPerEpoch,
    start: ({ startBatch }) => startText(job, sequence, text, { batchesPerEpoch, startBatch }),
  };
}

function startText(
  { batch, training }: Job,
  sequence: number,
  { train, heldOut }: SplitText,
  { batchesPerEpoch, startBatch }: Pick<TrainingData, 'batchesPerEpoch'> & Pick<SourceOptions, 'startBatch'>,
): TrainingSource {
  let index = startBatch;
  return {
    coldBatches: 0,
    heldOut: {
      output: 'loss',
      evaluate: (run, examples) => evaluateText(heldOut, sequence, byteEntropy(train), run, examples),
    },
    next() {
      const random = createRandom(training.seed, index);
      const starts = Array.from({ length: batch }, () => random.below(train.length - sequence));
      const epoch = Math.floor(index++ / batchesPerEpoch);
      return Promise.resolve({ data: sequencesAt(train, starts, sequence), epoch });
    },
    close: () => Promise.resolve(),
  };
}

/**
 * @param heldOut n·S + 1 bytes
 * @param run gives the mean loss over a batch
 */
async function evaluateText(
  heldOut: Uint8Array,
  sequence: number,
  byteEntropyNatsPerByte: number,
  run: RunForward,
  examples: number,
): Promise<TextEvaluation> {
  const count = sequenceCount(heldOut, sequence);
  const batches = Math.ceil(count / examples);
  const surplus = batches * examples - count;
  const lossOf = async (sequences: readonly number[]): Promise<number> => {
    const starts = sequences.map((number) => number * sequence);
    return examples * (await run(sequencesAt(heldOut, starts, sequence)))[0]!;
  };
  let loss = 0;
  for (let batch = 0; batch < batches; batch++) {
    const numbers = Array.from({ length: examples }, (_, row) => batch * examples + row);
    loss += await lossOf(numbers.map((number) => (number < count ? number : 0)));
  }
  // Rows of the last batch that no sequence is left for repeat the first one; a batch of nothing else gives its loss.
  if (surplus > 0) loss -= (surplus / examples) * (await lossOf(new Array<number>(examples).fill(0)));
  const crossEntropyNatsPerByte = loss / count;
  return {
    of: 'text',
    bytes: count * sequence,
    crossEntropyNatsPerByte,
    perplexityPerByte: Math.exp(crossEntropyNatsPerByte),
    byteEntropyNatsPerByte,
  };
}
