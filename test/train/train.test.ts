/** Short trainings of vit-tiny on two ranks through the CLI, and what is done with the folders they leave. */
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSimulation } from '../../src/cli/assess.js';
import type { ComparisonDocument, PlanComparison } from '../../src/cli/comparison.js';
import type { ImageEvaluation, StepMetrics } from '../../src/train/index.js';
import type { Started } from '../cli/support.js';
import { cli, contents, createFolder, editedProfile, expectRefused } from '../cli/support.js';
import { json, removeFolder, startCli } from '../cli/support.js';

interface RunDocument {
  readonly schema: string;
  readonly runFolder: string;
  readonly steps: number;
  readonly last: StepMetrics;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly evaluation: ImageEvaluation | null;
  readonly comparison: PlanComparison;
}

const CLASSES = 4;
const IMAGES_PER_CLASS = 16;
const HELD_OUT_PER_CLASS = 4;
const STEPS = 16;
/** This machine, had it ten times the rates: so that there is something to calibrate. */
const HARDWARE = '--hardware ./fast.yaml';
const TRAIN = `train --model vit-tiny ${HARDWARE} --images set --batch 16`;
const DATA = `${TRAIN} --mesh data=2 --steps ${STEPS} --seed 3`;

let folder: string;
let run: RunDocument;
beforeAll(async () => {
  const { text } = editedProfile('local', 'value: 220 GFLOP/s', 'value: 2200 GFLOP/s');
  folder = createFolder({ 'fast.yaml': text.replace('value: 39 GB/s', 'value: 390 GB/s') });
  const size = `--classes ${CLASSES} --per-class ${IMAGES_PER_CLASS} --held-out ${HELD_OUT_PER_CLASS} --size 64`;
  await json(`images set ${size}`, folder);
  run = await json<RunDocument>(`${DATA} --run runs/data`, folder);
});
afterAll(() => removeFolder(folder));

const read = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
const readMetrics = (name: string): StepMetrics[] =>
  read('runs', name, 'metrics.jsonl')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as StepMetrics);
const readComparison = (name: string): ComparisonDocument =>
  JSON.parse(read('runs', name, 'comparison.json')) as ComparisonDocument;
interface TraceEvent {
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly cat: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: { readonly name?: string };
}
const readTrace = (name: string): TraceEvent[] =>
  (JSON.parse(read('runs', name, 'trace.json')) as { traceEvents: TraceEvent[] }).traceEvents;

function expectSpansOfSimulation(name: string): void {
  const spans = readComparison(name).spans.map(({ id }) => id);
  expect(new Set(spans).size).toBe(spans.length);
  const events = readTrace(name);
  for (const source of ['measured', 'simulated']) {
    const [process] = events.filter(({ ph, args }) => ph === 'M' && args.name === source);
    const own = events.filter(({ ph, pid, cat }) => ph === 'X' && pid === process!.pid && !/^host/.test(cat));
    expect(new Set(own.map((event) => event.name)), source).toEqual(new Set(spans));
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('a training on two ranks', () => {
  it('leaves its job, metrics, trace and comparison in the run folder', () => {
    expect(run).toMatchObject({ schema: 'meshwright/run@1', runFolder: 'runs/data', steps: STEPS, skipped: [] });
    expect(readdirSync(join(folder, 'runs/data')).sort()).toEqual([
      'checkpoints',
      'comparison.json',
      'job.yaml',
      'metrics.jsonl',
      'profile.yaml',
      'ranks.json',
      'stack.yaml',
      'trace.json',
    ]);
  });

  it('writes a valid line of metrics a step', () => {
    expect(read('runs/data/metrics.jsonl').endsWith('}\n')).toBe(true);
    const metrics = readMetrics('data');
    expect(metrics.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, index) => index + 1));
    for (const line of metrics) {
      expect(Object.values(line).every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
      expect(line.mfu).toBeLessThan(1);
      // 8 × 8 patches an image.
      expect(line.tokensPerSecond * line.stepTimeSeconds).toBeCloseTo(16 * 64, 3);
    }
    expect(metrics.at(-1)).toEqual(run.last);
    expect(metrics.flatMap(({ step, gradientNorm }) => (gradientNorm === undefined ? [] : [step]))).toEqual([
      1,
      11,
      STEPS,
    ]);
    for (const { exposedCommunicationSeconds: mean, worstExposedCommunicationSeconds: worst, ...line } of metrics) {
      expect(mean).toBeGreaterThan(0);
      expect(worst).toBeGreaterThanOrEqual(mean);
      expect(worst).toBeLessThan(line.stepTimeSeconds);
    }
    expect(new Set(metrics.map(({ epoch }) => epoch)).size).toBe((STEPS * 16) / (CLASSES * IMAGES_PER_CLASS));
  });

  it('learns: the loss of the last steps is below that of the first', () => {
    const losses = readMetrics('data').map(({ loss }) => loss);
    expect(mean(losses.slice(-4))).toBeLessThan(0.7 * mean(losses.slice(0, 4)));
  });

  it('is evaluated on the held-out images', () => {
    const { images, accuracy, chance } = run.evaluation!;
    expect({ images, chance }).toEqual({ images: CLASSES * HELD_OUT_PER_CLASS, chance: 1 / CLASSES });
    expect(accuracy).toBeGreaterThan(chance);
    expect(accuracy).toBeLessThanOrEqual(1);
  });

  it('has the spans of its simulation, each once', () => expectSpansOfSimulation('data'));

  it('is compared with its prediction, times and MFU on one peak', () => {
    const { predicted, measured, plan } = run.comparison;
    expect(plan).toBe('data=2 microbatches=1');
    expect(measured.fastestSeconds).toBeLessThanOrEqual(measured.stepTimeSeconds);
    expect(measured.slowestSeconds).toBeGreaterThanOrEqual(measured.stepTimeSeconds);
    expect(measured.mfu * measured.stepTimeSeconds).toBeCloseTo(predicted.mfu * predicted.stepTimeSeconds, 9);
    expect(readComparison('data').stepSeconds).toHaveLength(measured.steps);
  });

  it('has the same losses again with the same seed, and says so in words without --json', async () => {
    const { status, stdout } = await cli(`${DATA} --run runs/again`, folder);
    expect(status).toBe(0);
    const losses = (name: string) => readMetrics(name).map(({ loss }) => loss);
    expect(losses('again')).toEqual(losses('data'));
    expect(stdout).toMatch(
      /^run folder runs\/again\npredicted: [\d.]+ m?s a step, MFU [\d.]+ %, on local\nstep 1\/16 {2}loss /,
    );
    expect(stdout).toMatch(/\nloss [\d.]+ → [\d.]+\nheld-out accuracy [\d.]+ % \(chance 25\.0 %\)\n/);
  });

  it('names a corrupt image, skips and counts it', async () => {
    const set = join(folder, 'damaged');
    cpSync(join(folder, 'set'), set, { recursive: true });
    const [name] = readdirSync(join(set, 'train'));
    const corrupt = `damaged/train/${name}/00000.png`;
    writeFileSync(join(folder, corrupt), readFileSync(join(folder, corrupt)).subarray(0, 60));
    const line = `${TRAIN.replace('--images set', '--images damaged')} --mesh data=2 --epochs 2 --run runs/damaged`;
    const { status, stdout, stderr } = await cli(`${line} --json`, folder);
    expect(status).toBe(0);
    expect(stderr).toMatch(new RegExp(`^skipped ${corrupt}: .+\n$`));
    const document = JSON.parse(stdout) as RunDocument;
    expect(document.skipped.map(({ path }) => path)).toEqual([corrupt]);
    expect(document.steps).toBe(readMetrics('damaged').length);
  });
});

describe('a training whose collectives run beside its kernels', () => {
  beforeAll(async () => {
    const layers = '--rematerialize full --rematerialize-layers 0-1';
    const plan = `--chips 4 --mesh data=2,model=2 --microbatches 2 --linears ring --shard optimizer ${layers}`;
    await json(`${TRAIN} ${plan} --steps 4 --run runs/overlapped`, folder);
  });

  it('has the spans of its simulation, those of the last microbatch too', () => {
    expectSpansOfSimulation('overlapped');
    const ids = readComparison('overlapped').spans.map(({ id }) => id);
    expect(ids.filter((id) => id.startsWith('last/')).length).toBeGreaterThan(50);
    expect(ids.filter((id) => id.includes('/ring/')).length).toBeGreaterThan(20);
  });

  it('shows collectives by axis, and no two slices of a track overlap', () => {
    const events = readTrace('overlapped');
    const tracks = new Map<string, TraceEvent[]>();
    for (const event of events.filter(({ ph }) => ph === 'X')) {
      const track = `${event.pid}/${event.tid}`;
      tracks.set(track, [...(tracks.get(track) ?? []), event]);
    }
    // Of four measured ranks and a simulated one: kernels, the host, and collectives over two axes.
    expect(tracks.size).toBe(5 * 4);
    for (const track of tracks.values()) {
      track.sort((a, b) => a.ts - b.ts || a.dur - b.dur);
      // Times are written in whole nanoseconds.
      track.slice(1).forEach(({ ts, name }, index) => {
        const before = track[index]!;
        expect(ts, name).toBeGreaterThanOrEqual(before.ts + before.dur - 2e-3);
      });
    }
  });

  it('is compared by what of a collective is exposed, so that the kinds add up to both steps', () => {
    const { spans, plans } = readComparison('overlapped');
    const { byKind, predicted, measured } = plans[0]!;
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    expect(sum(byKind.map(({ predictedSeconds }) => predictedSeconds))).toBeCloseTo(predicted.stepTimeSeconds, 9);
    expect(sum(byKind.map(({ measuredSeconds }) => measuredSeconds))).toBeCloseTo(measured.stepTimeSeconds, 9);
    for (const span of spans) {
      expect(span.measuredExposedSeconds, span.id).toBeLessThanOrEqual(span.measuredSeconds + 1e-9);
      // The ranks copy between their kernels, so nothing is predicted to be hidden.
      expect(span.predictedExposedSeconds, span.id).toBeCloseTo(span.predictedSeconds, 9);
    }
    const rings = spans.filter(({ id }) => id.includes('/ring/permute'));
    expect(sum(rings.map((span) => span.measuredExposedSeconds))).toBeLessThan(
      sum(rings.map((span) => span.measuredSeconds)),
    );
  });
});

describe('SIGINT', () => {
  let started: Started | undefined;
  afterAll(() => {
    if (started?.isAlive()) started.signal('SIGKILL');
  });

  it('ends a training after the step in flight, with status 130, whole lines and no process left', async () => {
    const line = `${TRAIN} --mesh data=2 --steps 100000 --run runs/stopped --json`;
    started = startCli(line.split(' '), folder);
    const path = join(folder, 'runs/stopped/metrics.jsonl');
    await expect.poll(() => existsSync(path) && readMetrics('stopped').length, { timeout: 30_000 }).toBeGreaterThan(1);
    started.signal('SIGINT');
    const { status, stdout, stderr } = await started.ended;
    expect(stderr).toMatch(
      /^\nSIGINT: ending after the step in flight.*\nstep \d+ and all before it are safe: .*--resume runs\/stopped goes on\n$/,
    );
    expect(status).toBe(130);
    expect(started.isAlive()).toBe(false);
    expect(read('runs/stopped/metrics.jsonl').endsWith('}\n')).toBe(true);
    const { steps, evaluation, last } = JSON.parse(stdout) as RunDocument;
    expect(readMetrics('stopped')).toHaveLength(steps);
    expect(readMetrics('stopped').at(-1)).toEqual(last);
    expect(evaluation).toBeNull();
    expect(readComparison('stopped').stepSeconds.length).toBeGreaterThan(0);
  });
});

describe('calibration on two runs', () => {
  interface Outcome {
    readonly title: string;
    readonly measuredSeconds: number;
    readonly beforeSeconds: number;
    readonly afterSeconds: number;
  }
  interface Calibration {
    readonly accepted: boolean;
    readonly corrections: readonly { readonly term: string; readonly factor: number }[];
    readonly fitted: readonly Outcome[];
    readonly checked: readonly Outcome[];
  }
  let calibration: Calibration;
  let copies: readonly string[];

  /**
   * A run's folder in which the machine is what the shipped profile says, so that what a fit finds hangs on no noise: times
   * measured are those predicted there, of the same spans.
   */
  async function asShipped(name: string, flags: string): Promise<string> {
    const shipped = `${name}-by-shipped`;
    await json(`${TRAIN.replace(HARDWARE, '--hardware local')} ${flags} --steps 2 --run runs/${shipped}`, folder);
    const truth = readComparison(shipped);
    const { stepTimeSeconds } = truth.plans[0]!.predicted;
    const copy = `runs/${name}-as-shipped`;
    cpSync(join(folder, 'runs', name), join(folder, copy), { recursive: true });
    const document = readComparison(name);
    writeFileSync(
      join(folder, copy, 'comparison.json'),
      JSON.stringify({
        ...document,
        plans: document.plans.map((plan) => ({ ...plan, measured: { ...plan.measured, stepTimeSeconds } })),
        stepSeconds: document.stepSeconds.map(() => stepTimeSeconds),
        spans: document.spans.map((span) => {
          const { predictedSeconds, predictedExposedSeconds } = truth.spans.find(({ id }) => id === span.id)!;
          return { ...span, measuredSeconds: predictedSeconds, measuredExposedSeconds: predictedExposedSeconds };
        }),
      }),
    );
    return copy;
  }

  beforeAll(async () => {
    await json(`${TRAIN} --mesh model=2 --steps ${STEPS} --run runs/model`, folder);
    copies = [await asShipped('data', '--mesh data=2'), await asShipped('model', '--mesh model=2')];
    calibration = await json<Calibration>(`calibrate --runs ${copies.join(' ')} --output calibrated`, folder);
  });

  it('writes a profile that predicts them better than the one before', async () => {
    const simulate = (hardware: string) =>
      json<JobSimulation>(`simulate runs/data/job.yaml --hardware ${hardware}`, folder);
    const [before, after] = [await simulate('./fast.yaml'), await simulate('calibrated/profile.yaml')];
    expect(before.stepTimeSeconds).toBe(run.comparison.predicted.stepTimeSeconds);
    const mine = calibration.fitted.find(({ title }) => title.includes('data=2'))!;
    expect(after.stepTimeSeconds).toBeCloseTo(mine.afterSeconds, 9);
    const off = (predicted: number): number => Math.abs(Math.log(predicted / mine.measuredSeconds));
    expect(off(after.stepTimeSeconds)).toBeLessThan(0.2 * off(before.stepTimeSeconds));
  });

  it('says what moved, and how far off each run was before and is after', () => {
    expect(Math.max(...calibration.corrections.map(({ factor }) => factor))).toBeGreaterThan(1);
    expect(calibration.accepted).toBe(true);
    const off = (predicted: number, measured: number): number => Math.abs(Math.log(predicted / measured));
    for (const { measuredSeconds, beforeSeconds, afterSeconds } of [...calibration.fitted, ...calibration.checked])
      expect(off(afterSeconds, measuredSeconds)).toBeLessThan(off(beforeSeconds, measuredSeconds));
  });

  it('compare prints both runs', async () => {
    const { status, stdout, stderr } = await cli('compare runs/data runs/model', folder);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const [name, plan] of Object.entries({ data: 'data=2', model: 'model=2' })) {
      expect(stdout).toContain(`runs/${name}: vit-tiny on 2 × local, batch 16\n`);
      expect(stdout).toContain(
        `Where the difference comes from (${plan} microbatches=1; of collectives, what no kernel hides), by kind of work:`,
      );
    }
  });

  it('overwrites neither a run nor a profile', async () => {
    const before = contents(folder);
    const again = await cli('calibrate --runs runs/data --output calibrated', folder);
    expectRefused(again, { code: 'RUN_EXISTS', place: 'calibrated', says: ['name another with --output'] });
    const train = await cli(`${DATA} --run runs/data`, folder);
    expectRefused(train, { code: 'RUN_EXISTS', place: 'runs/data', says: ['name another with --run'] });
    expect(contents(folder)).toEqual(before);
  });
});
