import { describe, expect, test } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import { forward } from '../../src/models/index.js';
import { accumulateMicrobatches, differentiate } from '../../src/program/index.js';
import { rankFeeds } from '../../src/train/index.js';
import { SMALL_DECODER } from '../helpers/models.js';

const MICROBATCHES = 2;
const BATCH = 8;
const { sequence } = SMALL_DECODER;

const plain = forward(SMALL_DECODER, {
  mesh: createMesh({ data: 2, model: 2 }),
  batch: BATCH / MICROBATCHES,
  lossDivisor: BATCH * sequence,
  parameterType: 'f64',
  computeType: 'f64',
  activations: 'width',
  output: 'loss',
});
const program = accumulateMicrobatches(differentiate(plain), { count: MICROBATCHES });

describe('a batch of tokens', () => {
  const tokens = Int32Array.from({ length: BATCH * sequence }, (_, index) => index);
  const targets = tokens.map((id) => id + 1);
  const rows = (from: Int32Array, ...list: number[]) =>
    list.map((row) => from.slice(row * sequence, (row + 2) * sequence));

  test.each([
    [0, [0, 4]],
    [1, [0, 4]],
    [2, [2, 6]],
    [3, [2, 6]],
  ])('rank %d has the sequences of its place along data, in each microbatch: those from %j', (rank, firsts) => {
    const feeds = rankFeeds(program, rank, { tokens, targets }, {});
    expect(feeds).toEqual({ tokens: rows(tokens, ...firsts), targets: rows(targets, ...firsts) });
  });

  test('stays integers and is not copied', () => {
    const [first] = rankFeeds(program, 0, { tokens, targets }, {})['tokens'] as Int32Array[];
    expect(first).toBeInstanceOf(Int32Array);
    expect(first!.buffer).toBe(tokens.buffer);
  });

  test('of another length, or of images, is refused', () => {
    const short = tokens.slice(1);
    expect(() => rankFeeds(program, 0, { tokens: short, targets }, {})).toThrow(
      /feed tokens: expected 64 elements, got 63/,
    );
    const images = { images: new Float32Array(1), labels: new Float32Array(1) };
    expect(() => rankFeeds(program, 0, images, {})).toThrow(/feed tokens: .* got images and labels/);
  });
});
