import { availableParallelism } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MeasureEvent, Profile } from '../../calibrate/index.js';
import { MeshwrightError } from '../../errors.js';
import type { Job } from '../../job/index.js';
import { readJob, resolveJob } from '../../job/index.js';
import type { FamilyName } from '../../runtime/index.js';
import { DEFAULT_FAMILY } from '../../runtime/index.js';
import { formatPercent } from '../../units.js';
import { requireFamilyHere } from '../devices.js';
import { saveProfile } from '../experiment.js';
import { untilInterrupted } from '../interrupt.js';
import { localName, shippedBase } from '../local-profile.js';
import { printJson, printLine, printTable } from '../output.js';
import { baseOf, keepMeasured } from '../machine-profile.js';
import { createProgress } from '../progress.js';
import type { Measured, ProfilingRequest } from '../profiling.js';
import { measureBlocks, probesFor, profileFrom } from '../profiling.js';
import { hardwareText, hardwareVersion, openStore } from '../stored-hardware.js';

export interface ProfileFlags {
  readonly family?: FamilyName;
  readonly ranks?: readonly number[];
  readonly threads: number;
  readonly job?: readonly string[];
  readonly model?: readonly string[];
  readonly minutes: number;
  readonly output?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

/** Up to twice as many as cores, so that it shows what turns on them cost. */
function usualRanks(): number[] {
  const cores = availableParallelism();
  return [...new Set([1, 2, cores, 2 * cores])].filter((count) => count <= 2 * cores).sort((a, b) => a - b);
}

/** Examples on a rank of a model that is only named. */
const EXAMPLES = 8;

function jobsOf({ job = [], model = [] }: ProfileFlags, family: FamilyName): Job[] {
  const local = { hardware: shippedBase(family), training: { family } };
  const named = model.map((name) => resolveJob({ model: name, chips: 1, batch: EXAMPLES, ...local }, () => true));
  const files = job.map((file) => {
    const input = readJob(file);
    return resolveJob({ ...input, hardware: local.hardware, training: { ...input.training, family } }, () => true);
  });
  return [...files, ...named];
}

/** @throws MeshwrightError USAGE of a folder that is there already, or isn't where it should be gone on with */
function requireOutput(output: string | undefined, resume: boolean): void {
  if (output === undefined || existsSync(output) === resume) return;
  throw new MeshwrightError('USAGE', {
    place: '--output',
    expected: resume ? 'the folder of a measurement to go on with' : 'a folder that does not exist yet',
    got: output,
    hint: resume ? 'leave out --resume to begin one' : 'add --resume to go on with what is in it',
  });
}

function reporter(quiet: boolean) {
  let bar: ReturnType<typeof createProgress> | undefined;
  let shown = 0;
  return {
    onEvent(event: MeasureEvent, of: number): void {
      if (event.kind === 'phase') {
        if (!quiet && process.stderr.isTTY && bar === undefined) process.stderr.write(`${event.text}\n`);
        return;
      }
      bar ??= createProgress('blocks', quiet, of);
      bar.advance(event.block.block + 1 - shown);
      shown = event.block.block + 1;
    },
    end: () => bar?.end(),
  };
}

/** `meshwright profile`: measures this machine's devices and writes a profile of them. */
export async function profile(flags: ProfileFlags): Promise<void> {
  const { family = DEFAULT_FAMILY, ranks = usualRanks(), threads, minutes, output, resume = false } = flags;
  requireOutput(output, resume);
  await requireFamilyHere(family, threads);
  const before = baseOf(family);
  const name = localName(family);
  const request: ProfilingRequest = {
    family,
    threadsPerRank: threads,
    ranks: [...new Set(ranks)].sort((a, b) => a - b),
    probes: probesFor(jobsOf(flags, family)),
    seconds: 60 * minutes,
    file: join(output ?? join(openStore().home, 'measurements', name), 'measurement.jsonl'),
    resume,
  };
  const report = reporter(flags.json === true);
  let blocks = 0;
  const onEvent = (event: MeasureEvent, of: number): void => {
    if (event.kind === 'block') blocks = event.block.block + 1;
    report.onEvent(event, of);
  };
  const work = async (signal: AbortSignal): Promise<Measured> => {
    try {
      return await measureBlocks(request, onEvent, signal);
    } catch (error) {
      if (signal.aborted) process.stderr.write(`${blocks} blocks are safe: the same command with --resume goes on\n`);
      throw error;
    }
  };
  const { result: measured, interrupted } = await untilInterrupted(
    'ending with the kernels in flight',
    work,
    report.end,
  );
  const found = profileFrom(measured, request, before.base);
  const path = output === undefined ? keepMeasured(found, measured, before, family).path : saveProfile(found, output);
  if (flags.json) {
    printJson({
      schema: 'meshwright/profile@1',
      path,
      hardwareVersion: hardwareVersion({ hardwareName: path }),
      blocks: measured.blocks.length,
      kernels: request.probes.length,
      ranks: request.ranks,
      hardware: found.hardware,
      stack: found.stack,
    });
  } else {
    printSummary(found, measured.blocks.length);
    printWhere(name, path);
  }
  if (interrupted !== undefined) throw interrupted;
}

function printWhere(name: string, path: string): void {
  const version = hardwareVersion({ hardwareName: path });
  printLine();
  printLine(
    version === null
      ? `written to ${path}; use it with --hardware ${path}`
      : `${hardwareText(name, version)}: ${path}; --hardware ${name} finds it`,
  );
}

interface Sourced {
  readonly value: unknown;
  readonly repeatability?: number | undefined;
}

/** The numbers that say most; all of them are in the profile. */
function printSummary({ hardware: { chip, topology }, stack }: Profile, blocks: number): void {
  if (topology.kind !== 'shared-memory') return;
  const row = (what: string, { value, repeatability }: Sourced): string[] => [
    what,
    String(value),
    repeatability === undefined ? '' : `±${formatPercent(repeatability)}`,
  ];
  const optional = (what: string, found: Sourced | undefined): string[][] =>
    found === undefined ? [] : [row(what, found)];
  const slowdowns = (topology.contention?.values ?? []).filter(({ work }) => work === undefined);
  printTable(
    ['of this machine', 'measured', 'repeats within'],
    [
      row('matmul, peak', chip.matmul.f32!.peak),
      row('matmul, fastest', chip.matmul.f32!.achievable),
      row('memory', chip.memory.bandwidth.achievable),
      row('launch of a kernel', stack.kernelLaunchOverhead),
      ...optional('each operand or result', stack.operandOverhead),
      ...optional('copies of operands and results', stack.operandCopies),
      row('host, a step', stack.hostOverheadPerStep),
      ...slowdowns.map(({ ranks, factor, repeatability }) =>
        row(`with ${ranks} ranks work takes`, { value: `${factor.toFixed(2)} times as long`, repeatability }),
      ),
      ...(topology.transfers?.values ?? []).map(({ ranks, bandwidth, latency, repeatability }) =>
        row(`between ${ranks} ranks`, { value: `${bandwidth}, ${latency} a message`, repeatability }),
      ),
    ],
    [1, 2],
  );
  const measured = [...(chip.matmul.f32!.points?.values ?? []), ...(chip.opTimes?.values ?? [])];
  const repeats = measured.flatMap(({ repeatability }) => repeatability ?? []).sort((a, b) => a - b);
  const at = (share: number): string => formatPercent(repeats[Math.floor(share * (repeats.length - 1))]!);
  printLine();
  printLine(
    `${measured.length} kernels timed one by one, over ${blocks} blocks: half repeat within ±${at(0.5)}, nine in ten within ±${at(0.9)}`,
  );
}
