/** Measures this machine's devices in a process of their own, block by block, each written down as it is whole. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import type { Block, Fingerprint, MeasureEvent, OpProbe, Profile } from '../calibrate/index.js';
import { fingerprintHere, opProbes, profileDevices } from '../calibrate/index.js';
import { MeshwrightError } from '../errors.js';
import type { HardwareDocument, StackDocument } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import { isPipeline, lowerJob, lowerJobPipeline } from '../job/index.js';
import type { Program } from '../program/index.js';
import { reasonOf } from '../reason.js';
import type { FamilyName } from '../runtime/index.js';
import { familyRow, runInChild } from '../runtime/index.js';
import { writeText, writing } from '../whole-file.js';
import type { Measure } from './child-requests.js';
import { localName } from './local-profile.js';
import { pipelinePrograms } from './pipeline-programs.js';
import { referencePrograms } from './reference-jobs.js';

const HOST = new URL('./child-host.js', import.meta.url);

/** What number of blocks a measurement should have at least, to say how well it repeats; fewer where time is short. */
const LEAST_BLOCKS = 7;
const MOST_BLOCKS = 15;
/** Time that a block should have, so that each probe is run a few times. */
const BLOCK_SECONDS = 12;

/** Matmuls of each form, sizes of each other op, and the largest tensor, of the grid that every profile has. */
const GRID = { matmuls: 24, sizes: 8, bytes: 2 ** 23 };
/** Of jobs in question: all that they have. */
const OF_JOBS = { matmuls: Infinity, sizes: 32, bytes: Infinity };

const programsOf = (job: Job): Program[] =>
  isPipeline(job.plan)
    ? pipelinePrograms(lowerJobPipeline(job), job.plan).map(({ program }) => program)
    : [lowerJob(job)];

/** Large and square, so that a machine's peak does not depend on the model that it was first measured with. */
const LARGE_MATMUL: OpProbe = {
  name: 'matmul',
  attributes: { transposeA: false, transposeB: false, scale: 1 },
  operands: [
    { shape: [1024, 1024], dtype: 'f32' },
    { shape: [1024, 1024], dtype: 'f32' },
  ],
};

/** The grid, and all shapes of jobs. */
export function probesFor(jobs: readonly Job[]): OpProbe[] {
  const known = new Map<string, OpProbe>();
  const all = [LARGE_MATMUL, ...opProbes(jobs.flatMap(programsOf), OF_JOBS), ...opProbes(referencePrograms(), GRID)];
  for (const probe of all) {
    const key = JSON.stringify([probe.name, probe.operands, probe.attributes]);
    if (!known.has(key)) known.set(key, probe);
  }
  return [...known.values()];
}

export interface ProfilingRequest {
  readonly family: FamilyName;
  readonly threadsPerRank: number;
  readonly ranks: readonly number[];
  readonly probes: readonly OpProbe[];
  readonly seconds: number;
  /** Where blocks are written down. */
  readonly file: string;
  /** Whether to go on with the blocks that lie there. */
  readonly resume: boolean;
}

export interface Measured {
  readonly blocks: readonly Block[];
  readonly fingerprint: Fingerprint;
}

const SCHEMA = 'meshwright/measurement@2';
const headForm = z.object({ schema: z.literal(SCHEMA), request: z.string(), blocks: z.number().int().positive() });

/** What has to be the same for blocks to belong together. */
const requestKey = ({ family, threadsPerRank, ranks, probes }: ProfilingRequest, machine: Fingerprint): string =>
  createHash('sha256')
    .update(JSON.stringify([family, threadsPerRank, ranks, probes, machine]))
    .digest('hex');

const numbers = z.object({ median: z.number().nonnegative(), mean: z.number().nonnegative() });
const blockForm = z.object({
  block: z.number().int().nonnegative(),
  byRanks: z.array(
    z.object({
      ranks: z.number().int().positive(),
      spans: z.record(z.string(), numbers),
      reference: z.number().positive(),
      idle: z.array(z.object({ kernels: z.number(), seconds: z.number().nonnegative() })),
    }),
  ),
});

const unusable = (file: string, expected: string, got: string): MeshwrightError =>
  new MeshwrightError('RUN_INVALID', { place: file, expected, got, hint: 'measure anew, without --resume' });

/** The blocks of an earlier start; a last line that was cut short is none. @throws MeshwrightError RUN_INVALID */
function readBlocks(file: string, key: string): { readonly blocks: Block[]; readonly of: number } {
  if (!existsSync(file)) throw unusable(file, 'a measurement to go on with', 'none there');
  let lines: unknown[];
  try {
    const whole = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    lines = whole.map((line) => JSON.parse(line) as unknown);
  } catch (error) {
    throw unusable(file, 'a measurement as Meshwright wrote it', reasonOf(error));
  }
  const head = headForm.safeParse(lines[0]);
  if (!head.success) throw unusable(file, 'a measurement as Meshwright wrote it', 'another first line');
  if (head.data.request !== key)
    throw unusable(file, 'a measurement of the same kernels and ranks on this machine', 'another one');
  const blocks = lines.slice(1).map((line) => {
    const found = blockForm.safeParse(line);
    if (found.success) return found.data;
    throw unusable(file, 'blocks as Meshwright wrote them', found.error.issues[0]!.message);
  });
  return { blocks, of: head.data.blocks };
}

/** The blocks of a request that lie there, however many there were to be. @throws MeshwrightError RUN_INVALID */
export function keptBlocks(request: ProfilingRequest): Measured {
  const fingerprint = fingerprintHere(request.family);
  return { blocks: readBlocks(request.file, requestKey(request, fingerprint)).blocks, fingerprint };
}

/**
 * @param onEvent what is being done, and each block that is whole; `of` of them there will be
 * @throws MeshwrightError RUN_INVALID where there is nothing to go on with, WRITE_FAILED, and as the devices do
 */
export async function measureBlocks(
  request: ProfilingRequest,
  onEvent: (event: MeasureEvent, of: number) => void,
  signal: AbortSignal,
): Promise<Measured> {
  const { family, threadsPerRank, ranks, probes, file, resume } = request;
  const fingerprint = fingerprintHere(family);
  const key = requestKey(request, fingerprint);
  const planned = Math.min(MOST_BLOCKS, Math.max(LEAST_BLOCKS, Math.floor(request.seconds / BLOCK_SECONDS)));
  const { blocks, of } = resume ? readBlocks(file, key) : { blocks: [], of: planned };
  const lines = [{ schema: SCHEMA, request: key, blocks: of }, ...blocks].map((line) => `${JSON.stringify(line)}\n`);
  writing(file, () => {
    mkdirSync(dirname(file), { recursive: true });
    writeText(dirname(file), basename(file), lines.join(''));
  });
  if (blocks.length >= of) return { blocks, fingerprint };
  // What is given up while a block is measured is that block alone.
  let failed: unknown;
  const follow = (event: MeasureEvent): void => {
    if (event.kind === 'block') {
      blocks.push(event.block);
      try {
        writing(file, () => appendFileSync(file, `${JSON.stringify(event.block)}\n`));
      } catch (error) {
        failed ??= error;
      }
    }
    onEvent(event, of);
  };
  const args = {
    family,
    threadsPerRank,
    ranks,
    probes,
    done: blocks.length,
    blocks: of,
    seconds: (request.seconds * (of - blocks.length)) / of,
  };
  await runInChild<Measure>(
    HOST,
    { kind: 'measure', args },
    {
      onEvent: follow,
      signal,
      graceSeconds: () => 1,
      poolThreads: ranks.reduce((sum, one) => sum + one, 0) + 4,
      family,
      neededBytes: ranks.reduce((sum, one) => sum + one, 0) * bytesOf(probes),
    },
  );
  if (failed !== undefined) throw failed;
  return { blocks, fingerprint };
}

/** About what a rank holds of probes, each tensor once. */
function bytesOf(probes: readonly OpProbe[]): number {
  const tensors = new Map<string, number>();
  for (const { operands } of probes)
    operands.forEach(({ shape }, slot) =>
      tensors.set(`${slot}:${shape.join('x')}`, 4 * shape.reduce((product, one) => product * one, 1)),
    );
  return [...tensors.values()].reduce((sum, one) => sum + one, 0);
}

/** The profile that measurements make of one that was there before. */
export function profileFrom(
  { blocks, fingerprint }: Measured,
  request: ProfilingRequest,
  base: { readonly hardware: HardwareDocument; readonly stack: StackDocument; readonly isFirst: boolean },
): Profile {
  const { family, threadsPerRank, ranks, probes } = request;
  const title = familyRow(family).title;
  const processor = cpus()[0]?.model.trim() ?? 'unknown';
  const threads = threadsPerRank === 1 ? 'a thread each' : `${threadsPerRank} threads each`;
  return profileDevices({
    probes,
    blocks,
    dtype: 'f32',
    base: base.hardware,
    baseStack: base.stack,
    name: localName(family),
    title: `One core of this machine (${fingerprint.cores}-core ${processor}), ${title}`,
    stackName: `${localName(family)}-stack`,
    stackTitle: `${title}, as measured here`,
    stackPath: './stack.yaml',
    family,
    cores: fingerprint.cores,
    source: `meshwright profile: ${title} on ${ranks.join(', ')} ranks of ${threads}, ${blocks.length} blocks beside a reference kernel, medians, ${today()}`,
    isFirst: base.isFirst,
  });
}

/** The day, for sources of numbers. */
export const today = (): string => new Date().toISOString().slice(0, 10);
