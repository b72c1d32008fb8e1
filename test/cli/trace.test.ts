/** `simulate --trace`: real files against the Trace Event Format, one chip and all, and how large one may get. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulationReport } from '../../src/cli/simulation-report.js';
import type { TraceEvent } from '../../src/trace/index.js';
import { traceFaults } from '../trace/trace-faults.js';
import { cli, json } from './in-process.js';
import { createFolder, removeFolder } from './support.js';

let folder: string;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => removeFolder(folder));

const total = (parts: Readonly<Record<string, unknown>>): number =>
  Object.values(parts).reduce<number>((sum, part) => sum + (part as number), 0);

interface Traced {
  readonly report: SimulationReport;
  readonly text: string;
  readonly events: readonly TraceEvent[];
}
async function traced(flags: string): Promise<Traced> {
  const report = await json<SimulationReport>(`simulate ${flags} --trace trace.json`, folder);
  const text = readFileSync(join(folder, 'trace.json'), 'utf8');
  return { report, text, events: (JSON.parse(text) as { traceEvents: TraceEvent[] }).traceEvents };
}

const VIT = '--model vit-tiny --hardware tpu-v4 --batch 64';
describe.each([
  ['of one chip for all', `${VIT} --mesh data=2,model=2 --linears ring`],
  ['with gathers ahead and gradients behind', `${VIT} --mesh data=4,model=2 --shard parameters --microbatches 2`],
  ['on nodes', `--model gpt-tiny --hardware a100-80gb-sxm --batch 64 --mesh data=4,model=4 --linears bidirectional`],
  ['with a host', '--model vit-tiny --hardware local --batch 32 --mesh data=2'],
  ['of every chip', `${VIT} --mesh data=4,model=2 --linears ring --unfold`],
  ['of every chip, varied', `${VIT} --mesh data=4,model=2 --linears ring --jitter 0.2 --seed 3`],
  ['of every chip, one of which is slow', `${VIT} --mesh data=4,model=2 --fault chip=5:1.5 --fault link=0+x:0.5`],
])('a trace %s', (_, flags) => {
  let made: Traced;
  beforeAll(async () => {
    made = await traced(flags);
  });
  const slices = (): readonly TraceEvent[] => made.events.filter(({ ph }) => ph === 'X');

  it('has no event that the format does not allow, nor anything that is no JSON', () => {
    expect(traceFaults(made.events)).toEqual([]);
    expect(made.text).not.toMatch(/NaN|Infinity|null/);
    expect(slices().length).toBeGreaterThan(20);
    expect(made.events.every(({ ph }) => ['M', 'X', 'C', 's', 'f'].includes(ph))).toBe(true);
  });

  it('ends with the step, to the nanosecond that it is written in', () => {
    const ends = slices().map(({ ts, dur }) => ts! + dur!);
    const { stepTimeSeconds } = made.report;
    expect(Math.max(...ends) / 1e6).toBeCloseTo(stepTimeSeconds, 8);
  });

  it('has the memory of the step as a counter, its peak included', () => {
    const counted = made.events.filter(({ ph }) => ph === 'C').map(({ args }) => total(args!));
    expect(Math.max(...counted)).toBe(made.report.peakMemoryBytesPerChip);
  });

  it('has arrows exactly where something is started that is waited for later', () => {
    const ends = made.events.filter(({ ph }) => ph === 'f');
    const asynchronous = made.report.details!.collectives.some((one) => one.asynchronous);
    expect(ends.length > 0).toBe(asynchronous);
  });
});

describe('the size of a trace', () => {
  it('is at most some 300 bytes for each run of a kernel or a collective', async () => {
    const { report, text } = await traced(
      '--model vit-g --hardware tpu-v4 --batch 64 --mesh data=2,model=4 --linears ring',
    );
    // Of up to 1,000 points in time memory is written.
    expect(text.length).toBeLessThan(300 * report.runs + 250_000);
  });

  it('is bounded: a step of more than a million runs is refused, nothing written', async () => {
    const line =
      'simulate --model vit-22b --hardware tpu-v4 --batch 8192 --mesh model=16 --microbatches 256 --linears bidirectional --trace long.json';
    const { status, stdout, stderr } = await cli(line, folder);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(
      /^meshwright: USAGE at --trace: expected a step of at most 1000000 kernels and collectives, got \d+; microbatches are alike: simulate with fewer\n$/,
    );
    expect(existsSync(join(folder, 'long.json'))).toBe(false);
  });
});
