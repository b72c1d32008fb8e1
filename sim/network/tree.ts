/**
 * Two binary trees, each with half of the data: whoever passes on in one is a leaf in the other (Sanders, Speck and Träff
 * 2009; NCCL's double trees). Sums go up and results come down in k chunks, one after the other. With trees of height h a
 * chunk takes 2h steps and the last begins k − 1 later, so that an all-reduce takes (k + 2h − 1)(α + 2S/kβ) where a chip
 * sends and gets four halves of chunks in each step. The number of chunks, a power of two, is the fastest.
 */
import { bytes } from '../../src/units.js';
import type { Algorithm, Workshop } from './algorithm.js';
import { lazily } from './algorithm.js';
import type { Level } from './axis.js';
import { joinBounds } from './least.js';
import type { Bound, Flow, Pattern, Round } from './types.js';

const MOST_CHUNKS = 64;
/** Each step of filling and draining has flows of its own: more of them, in larger trees, are not worked out. */
const MOST_FLOWS = 262_144;

/** As much goes up, to be added, as comes down: not in each step, but in all together. */
const UP = 0.5;

interface Edge {
  readonly child: number;
  readonly parent: number;
  /** Steps before a chunk goes up and down it. */
  readonly up: number;
  readonly down: number;
}

/** The parent of a place in a binary tree whose leaves are the odd places, as NCCL's; that of the root is itself. */
function parentOf(place: number, length: number): number {
  if (place === 0) return 0;
  const bit = place & -place;
  const up = (place ^ bit) | (bit << 1);
  return up >= length ? place ^ bit : up;
}

interface TreeShape {
  readonly edges: readonly Edge[];
  readonly steps: number;
  /** Of each step, the edges that are gone over. */
  readonly byStep: readonly (readonly Edge[])[];
}

function treeShape(length: number): TreeShape {
  const depth = (place: number): number => (place === 0 ? 0 : 1 + depth(parentOf(place, length)));
  const height = new Int32Array(length);
  const places = Array.from({ length }, (_, place) => place).sort((a, b) => depth(b) - depth(a));
  for (const place of places) {
    if (place === 0) continue;
    const parent = parentOf(place, length);
    height[parent] = Math.max(height[parent]!, height[place]! + 1);
  }
  const edges = places
    .filter((place) => place !== 0)
    .map((child) => ({
      child,
      parent: parentOf(child, length),
      up: height[child]!,
      down: height[0]! + depth(child) - 1,
    }));
  const steps = 2 * height[0]!;
  const byStep = Array.from({ length: steps }, (): Edge[] => []);
  for (const edge of edges) {
    byStep[edge.up]!.push(edge);
    byStep[edge.down]!.push(edge);
  }
  return { edges, steps, byStep };
}

export function tree(workshop: Workshop, { length, groups }: Level): Algorithm | undefined {
  const shape = lazily(() => treeShape(length));
  /** The places of the second tree are the first's mirrored, or, of an odd number, moved on by one. */
  const mirrored = (place: number): number => (length % 2 === 0 ? length - 1 - place : (place + 1) % length);

  const flowsOf = (of: Level['groups'], from: number, to: number): Flow[] => {
    const flows: Flow[] = [];
    const on = (step: number): boolean => step >= from && step <= to;
    const { edges, byStep } = shape();
    const among = from === to ? byStep[from]! : edges;
    for (const members of of) {
      for (const { child, parent, up, down } of among) {
        for (const place of [(one: number) => one, mirrored]) {
          const [low, high] = [members[place(child)]!, members[place(parent)]!];
          if (on(up)) flows.push({ from: low, to: high, share: 0.5 });
          if (on(down)) flows.push({ from: high, to: low, share: 0.5 });
        }
      }
    }
    return flows;
  };
  const boundsWithin = (from: number, to: number): readonly Bound[] =>
    joinBounds(Array.from({ length: to - from + 1 }, (_, index) => between(from + index, from + index).bounds));

  const patterns = new Map<number, Pattern>();
  /** The edges that some chunk goes over when those of steps `from` to `to` are on their way. */
  const between = (from: number, to: number): Pattern => {
    const key = from * shape().steps + to;
    let pattern = patterns.get(key);
    if (pattern === undefined) {
      const isWhole = from === 0 && to === shape().steps - 1;
      pattern = workshop.pattern({
        groups,
        flowsOf: (of) => flowsOf(of, from, to),
        // Nearly what the step with the most of the window has: each window's own flows would be many.
        ...(from === to || isWhole ? {} : { bounds: () => boundsWithin(from, to) }),
      });
      patterns.set(key, pattern);
    }
    return pattern;
  };

  const schedule = (heldBytes: number, chunks: number): Round[] => {
    const { steps } = shape();
    const rounds: Round[] = [];
    for (let step = 0; step < chunks + steps - 1; step++) {
      const pattern = between(Math.max(0, step - chunks + 1), Math.min(step, steps - 1));
      const last = rounds.at(-1);
      if (last?.pattern === pattern) rounds[rounds.length - 1] = { ...last, steps: last.steps + 1 };
      else rounds.push({ pattern, steps: 1, bytes: bytes(heldBytes / chunks), summed: UP });
    }
    return rounds;
  };

  const counts = lazily(() => {
    const most = groups.length * length * 4 * shape().steps > MOST_FLOWS ? 1 : MOST_CHUNKS;
    return [1, 2, 4, 8, 16, 32, 64].filter((count) => count <= most);
  });
  return {
    name: 'tree',
    collectives: ['all_reduce'],
    channels: (_collective, heldBytes, pick) =>
      pick.fastest(counts().map((chunks) => () => [schedule(heldBytes, chunks)])),
  };
}
