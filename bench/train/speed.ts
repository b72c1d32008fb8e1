/** A section of `npm run bench:train`: training vit-bench beside PyTorch's DistributedDataParallel and the family's products. */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from 'simple-statistics';
import { modelFlops } from '../../src/job/index.js';
import type { FamilyName } from '../../src/runtime/index.js';
import type { Checks } from '../checks.js';
import { peerJob, TOKENS } from './job.js';
import type { Peer } from './peer.js';
import { findPeer } from './peer.js';
import type { Ask } from './requests.js';

/** Of an issue's targets: which family is to reach which share of its products' rate, in percent. */
const leastShare = (family: FamilyName): number => (family.startsWith('onnx') ? 65 : 55);
const LEAST_RATIO = 1.3;
const LEAST_SPEEDUP = 1.8;
const CHECKED_STEPS = 10;
const BLOCK_STEPS = 6;
const BATCHES = [4, 8] as const;

/** Tokens a second over two ranks on a quiet machine of this kind, 2026-11-20: the slower and the faster run. */
const RECORDED: Record<(typeof BATCHES)[number], readonly [number, number]> = { 4: [2284, 2436], 8: [2550, 2589] };
/** What a BLAS that uses a core's vector units exceeds by far: with less, PyTorch was built or installed without one. */
const SLOW_BLAS = 20e9;

export interface SpeedCase {
  readonly family: FamilyName;
  /** Turns that both sides take. */
  readonly rounds: number;
  /** The peer's script, if it is there. */
  readonly peerPath: string;
  readonly ask: Ask;
  readonly say: (text: string) => void;
}

/** The median step after the first, which allocates. */
async function ownBlock({ ask, family }: SpeedCase, ranks: number, batch: number): Promise<number> {
  const { seconds } = await ask('steps', { family, ranks, batch, steps: BLOCK_STEPS });
  return median(seconds.slice(1));
}

async function compareLosses(checks: Checks, { ask, say, family }: SpeedCase, peer: Peer): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'meshwright-bench-'));
  try {
    const [ranks, batch] = [2, 4];
    say(`${CHECKED_STEPS} steps of the peer from its own start`);
    const theirs = peer.block(ranks, batch, CHECKED_STEPS, folder).losses;
    say('the same steps of ours');
    const { losses } = await ask('steps', { family, ranks, batch, steps: CHECKED_STEPS, start: folder });
    const apart = losses.map((loss, step) => Math.abs(loss / theirs[step]! - 1));
    const beside = `PyTorch ${theirs[0]!.toFixed(6)} … ${theirs.at(-1)!.toFixed(6)}`;
    checks.add(
      `losses of ${CHECKED_STEPS} steps from one start, apart at most`,
      100 * Math.max(...apart),
      '%',
      0.1,
      beside,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Times {
  readonly ours: number[];
  readonly theirs: number[];
}
export async function addSpeed(checks: Checks, given: SpeedCase): Promise<void> {
  const { family, rounds, peerPath, ask, say } = given;
  const peer = findPeer(peerPath);
  const isFast = peer !== undefined && peer.matmulFlops > SLOW_BLAS;
  if (peer === undefined)
    checks.note('PyTorch or its script is not here: losses are not compared, its speed is as recorded.');
  else {
    await compareLosses(checks, given, peer);
    if (!isFast)
      checks.note(
        `PyTorch multiplies at ${(peer.matmulFlops / 1e9).toFixed(0)} GFLOP/s here, without an optimized BLAS (Debian: ` +
          'libopenblas0-pthread): no race, its speed is as recorded.',
      );
  }

  const times = new Map<number, Times>(BATCHES.map((batch) => [batch, { ours: [], theirs: [] }]));
  const alone: number[] = [];
  const ceilings: number[] = [];
  const loads: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    loads.push(loadavg()[0]!);
    for (const batch of BATCHES) {
      const { ours, theirs } = times.get(batch)!;
      if (isFast) theirs.push(peer.block(2, batch, BLOCK_STEPS).seconds);
      ours.push(await ownBlock(given, 2, batch));
    }
    alone.push(await ownBlock(given, 1, 8));
    ceilings.push(median([...(await ask('ceiling', { family, ranks: 2, rounds: 5 })).flops]));
  }

  const ceiling = median(ceilings);
  for (const batch of BATCHES) {
    const { ours, theirs } = times.get(batch)!;
    const [step, tokens] = [median(ours), 2 * batch * TOKENS];
    const [low, high] = RECORDED[batch];
    const rate = isFast ? tokens / median(theirs) : (low + high) / 2;
    const beside = isFast
      ? `PyTorch ${rate.toFixed(0)} (recorded ${low}–${high})`
      : `PyTorch ${low}–${high} (recorded)`;
    checks.add(`2 ranks, ${batch} images each`, tokens / step, 'tokens/s', null, beside);
    // A rate of this hour over one of another day is no ratio to judge by.
    checks.add('  of the peer', tokens / step / rate, '×', isFast ? [LEAST_RATIO, Infinity] : null);
    const flops = modelFlops(peerJob(family, 2, batch).model, 2 * batch) / step;
    checks.add('  model FLOPs', flops / 1e9, 'GFLOP/s');
    checks.add("  of the family's own products", (100 * flops) / ceiling, '%', [leastShare(family), Infinity]);
  }
  checks.add('two ranks over one, 8 images each', (2 * median(alone)) / median(times.get(8)!.ours), '×', [
    LEAST_SPEEDUP,
    Infinity,
  ]);
  checks.add('2048³ products on two ranks at once', ceiling / 1e9, 'GFLOP/s');
  checks.note(
    `${family}; medians of ${rounds} blocks of ${BLOCK_STEPS - 1} steps, both sides in turns; ` +
      `load average ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)} before the rounds.`,
  );
}
