/**
 * `npm run bench:train`: training vit-bench beside PyTorch's DistributedDataParallel, on as many ranks of one thread each,
 * and beside the rate of this family's own matrix products, all in turns. What else runs on the machine disturbs both
 * sides alike, so that ratios of medians count. Then collectives, and the memory of many steps. `-- --part NAME` measures
 * a part alone, `--json` prints a document, `--family NAME` trains another family, `--rounds N` takes so many turns,
 * `--steps N` watches memory for so many steps, `--peer PATH` says where the peer's script is. Where it or PyTorch is
 * absent, the peer's recorded figures stand beside ours.
 */
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { lowerJob } from '../src/job/index.js';
import { packageRoot } from '../src/package-root.js';
import { memoryUse } from '../src/program/index.js';
import type { FamilyName } from '../src/runtime/index.js';
import { DEFAULT_FAMILY, FAMILY_NAMES, runInChild } from '../src/runtime/index.js';
import { Checks } from './checks.js';
import { addCollectives, addMemory } from './train/collectives.js';
import { addGpu } from './train/gpu.js';
import { peerJob } from './train/job.js';
import type { Ask, Requests } from './train/requests.js';
import { addSpeed } from './train/speed.js';

const PARTS = ['speed', 'collectives', 'memory'] as const;

/** @throws of what is no whole number from `least` on */
const countFrom =
  (least: number) =>
  (given: string): number => {
    const count = Number(given);
    if (Number.isInteger(count) && count >= least) return count;
    throw new InvalidArgumentError(`Give a whole number from ${least} on.`);
  };

/** Memory is judged by a first and a last quarter after the first 100. */
const LEAST_STEPS = 300;

interface Flags {
  readonly part: (typeof PARTS)[number] | 'all';
  readonly family: FamilyName;
  readonly rounds: number;
  readonly steps: number;
  readonly peer: string;
}
const { part, family, rounds, steps, peer } = new Command('npm run bench:train --')
  .addOption(new Option('--part <name>', 'what to measure').choices([...PARTS, 'all']).default('all'))
  .addOption(new Option('--family <name>', 'whose kernels').choices(FAMILY_NAMES).default(DEFAULT_FAMILY))
  .addOption(new Option('--rounds <count>', 'turns of both sides').argParser(countFrom(1)).default(3))
  .addOption(
    new Option('--steps <count>', 'over which memory is watched').argParser(countFrom(LEAST_STEPS)).default(1000),
  )
  .option('--peer <path>', "the peer's script", join(packageRoot(), '../shared/bench/vit_ddp.py'))
  .option('--json', 'prints a document')
  .parse()
  .opts<Flags>();

const CHILD = new URL('./train/child.js', import.meta.url);
/** Of a step; bare products need less. */
const needed = (args: Requests[keyof Requests]['args']): number =>
  'batch' in args ? args.ranks * memoryUse(lowerJob(peerJob(args.family, args.ranks, args.batch))).peakBytes : 0;
const ask: Ask = <K extends keyof Requests>(kind: K, args: Requests[K]['args']): Promise<Requests[K]['result']> =>
  runInChild<Requests[K]>(CHILD, { kind, args }, { poolThreads: 4, family: args.family, neededBytes: needed(args) });

const checks = new Checks();
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const wants = (one: (typeof PARTS)[number]): boolean => part === 'all' || part === one;

const before = loadavg()[0]!;
if (wants('speed')) await addSpeed(checks, { family, rounds, peerPath: peer, ask, say });
if (wants('collectives')) {
  say('collectives');
  await addCollectives(checks, family);
}
if (wants('memory')) {
  say(`memory over ${steps} steps`);
  await addMemory(checks, family, steps);
}
if (wants('speed')) await addGpu(checks, ask, say);
checks.note(`${family}, 2 ranks; load average ${before.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after.`);
checks.print('training', 'peer');
