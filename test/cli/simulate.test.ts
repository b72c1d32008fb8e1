/** `simulate`, `plan` and `models` as a person runs them: valid documents, and physics in the right direction. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSimulation } from '../../src/cli/assess.js';
import type { SimulationReport } from '../../src/cli/simulation-report.js';
import { PLAN_OPTION_NAMES, planWord } from '../../src/job/index.js';
import { cli, json } from './in-process.js';
import { createFolder, editedProfile, removeFolder, startCli } from './support.js';

const TASK = '--model vit-22b --chips 1024 --batch 65536';
const PLAN = `${TASK} --mesh data=64,model=16`;

let folder: string;
let base: SimulationReport;
beforeAll(async () => {
  folder = createFolder();
  base = await json<SimulationReport>(`simulate ${PLAN} --hardware tpu-v4`, folder);
});
afterAll(() => removeFolder(folder));

const simulate = (flags: string): Promise<SimulationReport> => json<SimulationReport>(`simulate ${flags}`, folder);

/** ViT-22B on a TPU v4 of which one number is another. */
function simulateWith(name: string, before: string, after: string): Promise<SimulationReport> {
  writeFileSync(join(folder, `${name}.yaml`), editedProfile('tpu-v4', before, after).text);
  return simulate(`${PLAN} --microbatches ${base.microbatches} --hardware ./${name}.yaml`);
}

/** Numbers by their path. */
function numbers(value: unknown, path = ''): [string, number][] {
  if (typeof value === 'number') return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => numbers(inner, `${path}.${key}`));
}

/** What a wish for rings both ways comes to, by the size of the model axis. */
const LINEARS_ON: Readonly<Record<number, string>> = { 1: 'synchronous', 2: 'ring', 4: 'bidirectional' };

const communication = (one: JobSimulation): number => one.exposedCommunicationSeconds + one.hiddenCommunicationSeconds;

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

/** What kernels take where nothing is beside them. */
const alone = ({ computeSeconds, timeByCategorySeconds }: JobSimulation): number =>
  computeSeconds - timeByCategorySeconds.contention;

const total = (parts: Readonly<Partial<Record<string, number>>>): number =>
  Object.values(parts).reduce<number>((sum, part) => sum + (part ?? 0), 0);

describe('the simulation of ViT-22B on 1024 TPU v4', () => {
  it('prints the same bytes every time', async () => {
    const line = `simulate ${PLAN} --hardware tpu-v4 --json`;
    const [one, two] = [await cli(line, folder), await startCli(line.split(' '), folder).ended];
    expect(two).toMatchObject(one);
    expect(JSON.parse(one.stdout)).toEqual(base);
  });

  it('is a document of finite numbers of at least zero', () => {
    expect(base).toMatchObject({ schema: 'meshwright/simulation@1', model: 'vit-22b', chips: 1024, batch: 65536 });
    const wrong = numbers(base).filter(([, value]) => !(Number.isFinite(value) && value >= 0));
    expect(wrong).toEqual([]);
    expect(numbers(base).length).toBeGreaterThan(25);
  });

  it('uses a share of the peak: no more for the model than for all that is executed', () => {
    expect(base.mfu).toBeGreaterThan(0.2);
    expect(base.hfu).toBeGreaterThan(base.mfu - 1e-6);
    expect(base.hfu).toBeLessThan(1);
    const { modelFlops, stepTimeSeconds, chips, peakFlopsPerSecondPerChip } = base;
    expect(base.mfu).toBeCloseTo(modelFlops / (stepTimeSeconds * chips * peakFlopsPerSecondPerChip), 9);
    expect(base.mfuByFormula / base.mfu).toBeCloseTo(1, 1);
    expect(base.tokensPerSecond).toBeCloseTo((65536 * 256) / stepTimeSeconds, 3);
  });

  it('spends its step time on the categories, each second once', () => {
    expect(total(base.timeByCategorySeconds)).toBeCloseTo(base.stepTimeSeconds, 6);
    const { computeSeconds, exposedCommunicationSeconds, overheadSeconds } = base;
    expect(computeSeconds + exposedCommunicationSeconds + overheadSeconds).toBeCloseTo(base.stepTimeSeconds, 6);
    expect(total(base.exposedCommunicationByAxisSeconds)).toBeCloseTo(exposedCommunicationSeconds, 6);
  });

  it('fits in memory, whose roles add up to the peak', () => {
    expect(base.fits).toBe(true);
    expect(total(base.memoryBytesByRole)).toBeCloseTo(base.peakMemoryBytesPerChip, 0);
    expect(base.peakMemoryBytesPerChip).toBeLessThan(base.memoryCapacityBytesPerChip - base.reservedMemoryBytesPerChip);
  });

  it('can be no faster than its bounds, the largest of which is named', () => {
    const { bounds, boundShare, hfu, stepTimeSeconds } = base;
    expect(bounds.seconds).toBe(bounds[`${bounds.limit}Seconds`]);
    expect(boundShare).toBeCloseTo(bounds.seconds / stepTimeSeconds, 12);
    expect(boundShare).toBeLessThanOrEqual(1);
    expect(hfu).toBeCloseTo(bounds.computeSeconds / stepTimeSeconds, 6);
  });

  it('hangs on a path as long as the step, and has its peak of memory in the course of it', () => {
    const { criticalPath, memoryTimeline, kernels, collectives } = base.details!;
    expect(total(criticalPath.byCategorySeconds) + total(criticalPath.collectivesByAxisSeconds)).toBeCloseTo(
      base.stepTimeSeconds,
      9,
    );
    expect(Math.max(...memoryTimeline.map(({ totalBytes }) => totalBytes))).toBe(base.peakMemoryBytesPerChip);
    expect(memoryTimeline.find(({ totalBytes }) => totalBytes === base.peakMemoryBytesPerChip)!.opId).toBe(
      base.peakMemoryOpId,
    );
    expect(
      kernels.every(
        ({ peakFlopsShare, peakMemoryBandwidthShare }) =>
          peakFlopsShare + peakMemoryBandwidthShare > 0 && peakFlopsShare <= 1,
      ),
    ).toBe(true);
    expect(kernels.map((one) => one.seconds)).toEqual(kernels.map((one) => one.seconds).toSorted((a, b) => b - a));
    // Of the 20 that are exposed longest, which aren't all.
    const longest = collectives.map((one) => one.exposedSeconds);
    const others = base.exposedCommunicationSeconds - sum(longest);
    expect(others).toBeGreaterThanOrEqual(-1e-9);
    if (longest.length < 20) expect(others).toBeCloseTo(0, 9);
    expect(others).toBeLessThan(0.002 * base.exposedCommunicationSeconds);
    expect(longest).toEqual(longest.toSorted((a, b) => b - a));
  });

  it('lists links by class, and each of them when asked to', async () => {
    const { links } = await simulate(`${PLAN} --hardware tpu-v4 --microbatches ${base.microbatches} --links`);
    expect(links.all).toHaveLength(links.count);
    expect(sum(links.all!.map((link) => link.bytes)) / links.totalBytes).toBeCloseTo(1, 9);
    expect(links.classes.map(({ name, count }) => [name, count])).toEqual(
      ['+x', '-x', '+y', '-y', '+z', '-z'].map((way) => [`chip ${way}`, 1024]),
    );
    expect(base.links).toEqual({ ...links, all: undefined });
  });

  it('takes as long as its steps together, given as steps or tokens', async () => {
    expect(base.training).toBeNull();
    const task = `${PLAN} --hardware tpu-v4 --microbatches ${base.microbatches}`;
    const bySteps = await simulate(`${task} --steps 177000`);
    const { steps, days, tokens, chipHours } = bySteps.training!;
    expect(steps).toBe(177000);
    expect(days).toBeCloseTo((177000 * base.stepTimeSeconds) / 86400, 9);
    expect(chipHours).toBeCloseTo(days * 24 * 1024, 3);
    expect(tokens).toBe(177000 * 65536 * 256);
    const byTokens = await simulate(`${task} --tokens ${tokens - 1}`);
    expect(byTokens.training).toEqual(bySteps.training);
  });

  it('reduces gradients of twice as many parameters on a chip with half the model axis', async () => {
    const [whole, half] = await Promise.all(
      ['data=64,model=16', 'data=128,model=8'].map((mesh) =>
        simulate(
          `${TASK} --hardware tpu-v4 --mesh ${mesh} --microbatches ${base.microbatches} --overlap-gradients false`,
        ),
      ),
    );
    const data = ({ exposedCommunicationByAxisSeconds }: JobSimulation): number =>
      exposedCommunicationByAxisSeconds.data!;
    expect(data(half!)).toBeGreaterThan(1.5 * data(whole!));
  });

  it('has twice the parameters on a chip, and too much, with half the model axis', async () => {
    const other = await simulate(
      `${TASK} --hardware tpu-v4 --mesh data=128,model=8 --microbatches ${base.microbatches}`,
    );
    expect(other.memoryBytesByRole.parameter! / base.memoryBytesByRole.parameter!).toBeCloseTo(2, 2);
    expect(other.fits).toBe(false);
    // A ring moves (k-1)/k of the tokens of a replica, which are half as many.
    const ratio = other.exposedCommunicationByAxisSeconds.model! / base.exposedCommunicationByAxisSeconds.model!;
    expect(ratio).toBeCloseTo((0.5 * (7 / 8)) / (15 / 16), 2);
  });
});

describe('changed hardware changes what it should', () => {
  it('half the link bandwidth: nearly twice the exposed communication, the same compute', async () => {
    const slow = await simulateWith('links', 'value: 45 GB/s', 'value: 22.5 GB/s');
    const ratio = slow.exposedCommunicationSeconds / base.exposedCommunicationSeconds;
    expect(ratio).toBeGreaterThan(1.9);
    expect(ratio).toBeLessThanOrEqual(2);
    expect(alone(slow)).toBeCloseTo(alone(base), 9);
    expect(slow.stepTimeSeconds).toBeGreaterThan(base.stepTimeSeconds);
  });

  it('half the matmul rate: twice the time of matmuls, the same communication', async () => {
    const slow = await simulateWith('matmul', 'value: 0.8\n', 'value: 0.4\n');
    const ratio = slow.timeByCategorySeconds.matmul / base.timeByCategorySeconds.matmul;
    expect(ratio).toBeCloseTo(2, 2);
    expect(communication(slow)).toBeCloseTo(communication(base), 8);
    expect(slow.mfu).toBeLessThan(base.mfu);
  });

  it('half the memory bandwidth: twice the time of what memory bounds', async () => {
    const slow = await simulateWith('memory', 'value: 0.85\n', 'value: 0.425\n');
    const ratio = slow.timeByCategorySeconds.memory / base.timeByCategorySeconds.memory;
    expect(ratio).toBeCloseTo(2, 2);
    expect(communication(slow)).toBeCloseTo(communication(base), 8);
    expect(slow.stepTimeSeconds).toBeGreaterThan(base.stepTimeSeconds);
  });

  it('a slice without wrapped links: at least twice the communication of a gradient ring', async () => {
    const task = '--model vit-g --hardware tpu-v4 --chips 64 --batch 1024 --mesh data=64 --microbatches 8';
    const cube = await simulate(`${task} --slice 4x4x4`);
    const flat = await simulate(`${task} --slice 8x8x1`);
    const chosen = await simulate(task);
    expect(flat.exposedCommunicationSeconds).toBeGreaterThan(2 * cube.exposedCommunicationSeconds);
    expect(alone(flat)).toBeCloseTo(alone(cube), 9);
    // Advice names the whole plan, slice and all.
    expect({ ...chosen, plan: cube.plan, advice: null }).toEqual({ ...cube, advice: null });
  });
});

describe('the topology', () => {
  const TASK_64 =
    '--model vit-g --model-option depth=12 --chips 64 --batch 1024 --mesh data=16,model=4 --microbatches 8';
  /** Seconds of a step on a profile of which one piece of text is another. */
  async function step(profile: string, before: string, after: string, task = TASK_64): Promise<number> {
    const name = `./topology-${profile}.yaml`;
    writeFileSync(join(folder, name), editedProfile(profile, before, after).text);
    return (await simulate(`${task} --hardware ${name}`)).stepTimeSeconds;
  }

  it.each([
    ['tpu-v4', 'value: 45 GB/s', 'value: 20 GB/s'],
    ['tpu-v4', 'value: 4\n', 'value: 3\n'],
    ['h100-80gb-sxm', 'cardsPerNode: { value: 8', 'cardsPerNode: { value: 1'],
    ['h100-80gb-sxm', 'chipsPerNode: { value: 8', 'chipsPerNode: { value: 2'],
  ])('of %s with %j as %j makes a step longer', async (profile, before, after) => {
    expect(await step(profile, before, after)).toBeGreaterThan(await step(profile, before, before));
  });

  it('where PaLM 540B lies on two slices, one slice being too small', async () => {
    const flags = '--model palm-540b --hardware tpu-v4 --chips 6144 --batch 2048 --mesh data=512,model=12';
    const palm = await simulate(flags);
    expect(palm.placement.data?.[0]).toBe('2 slices');
    expect(palm.slice).toEqual([12, 16, 16]);
    const { text } = editedProfile('tpu-v4', 'value: 6.6 GB/s', 'value: 660 MB/s');
    writeFileSync(join(folder, 'slow-hosts.yaml'), text);
    const slow = await simulate(flags.replace('tpu-v4', './slow-hosts.yaml'));
    expect(communication(slow)).toBeGreaterThan(communication(palm));
  });

  it('with a dead link is slower, and says which', async () => {
    const whole = await simulate(`${TASK_64} --hardware tpu-v4`);
    const faulty = await simulate(`${TASK_64} --hardware tpu-v4 --fault link=0+z:dead --fault link=5+x:0.5`);
    expect(faulty.faults).toEqual(['link=0+z:dead', 'link=5+x:0.5']);
    expect(faulty.stepTimeSeconds).toBeGreaterThan(whole.stepTimeSeconds);
  });
});

describe('the models', () => {
  interface Row {
    readonly name: string;
    readonly bodyParameters: number;
    readonly poolingParameters: number;
    readonly classifierParameters: number;
  }

  it.each([
    ['vit-g', 1842e6, (row: Row) => row.bodyParameters],
    ['vit-22b', 22165e6, (row: Row) => row.bodyParameters + row.poolingParameters],
    ['palm-540b', 540.35e9, (row: Row) => row.bodyParameters],
    ['vit-e', 3926e6, (row: Row) => row.bodyParameters + row.poolingParameters + row.classifierParameters],
  ])('%s has the %d parameters of its paper, within 0.5 %%', async (name, published, count) => {
    const { models } = await json<{ models: Row[] }>('models', folder);
    const counted = count(models.find((row) => row.name === name)!);
    expect(Math.abs(counted / published - 1)).toBeLessThan(0.005);
  });
});

describe('what commands write', () => {
  it('plan ranks by step time, and the job file of the first simulates to that time', async () => {
    const { plans, candidates, simulated, doNotFit, boundedOut } = await json<{
      plans: { rank: number; plan: string; why: string; simulation: JobSimulation }[];
      candidates: number;
      simulated: number;
      doNotFit: number;
      boundedOut: number;
    }>('plan --model vit-g --hardware h100-80gb-sxm --chips 16 --batch 512 --top 5 --output best.yaml', folder);
    const times = plans.map(({ simulation }) => simulation.stepTimeSeconds);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(plans.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(plans.map(({ plan }) => plan)).size).toBe(5);
    expect(plans.every(({ why, simulation }) => why.length > 0 && simulation.fits)).toBe(true);
    expect(simulated + doNotFit + boundedOut).toBe(candidates);
    expect((await simulate('best.yaml')).stepTimeSeconds).toBe(times[0]);
  });

  it('a job file names a profile of its own by the path from where it lies', async () => {
    const { text } = editedProfile('tpu-v4', 'value: 45 GB/s', 'value: 40 GB/s');
    writeFileSync(join(folder, 'mine.yaml'), text);
    mkdirSync(join(folder, 'jobs'));
    const flags = '--model vit-tiny --hardware ./mine.yaml --chips 4';
    const { plans } = await json<{ plans: { simulation: JobSimulation }[] }>(
      `plan ${flags} --output jobs/job.yaml`,
      folder,
    );
    const best = plans[0]!.simulation;
    expect(await simulate('jobs/job.yaml')).toMatchObject(best);
    expect(await json<JobSimulation>('simulate job.yaml', join(folder, 'jobs'))).toMatchObject(best);
  });

  it('a decoder is simulated as a vision transformer is, changed by flags', async () => {
    const flags = '--model llama-tiny --hardware local --mesh data=2 --batch 8';
    const whole = await simulate(flags);
    expect(whole.tokensPerSecondPerChip * whole.stepTimeSeconds * 2).toBeCloseTo(8 * 64, 6);
    const shorter = await simulate(`${flags} --model-option sequence=32 --model-option keyValueHeads=1`);
    expect(shorter.modelFlops).toBeLessThan(whole.modelFlops / 2);
  });

  it('flags override the job file', async () => {
    writeFileSync(
      join(folder, 'job.yaml'),
      'model: vit-tiny\nhardware: local\nbatch: 64\nplan:\n  mesh: { data: 2 }\n  microbatches: 2\n',
    );
    const { batch, mesh, microbatches } = await simulate('job.yaml --batch 32');
    expect({ batch, mesh, microbatches }).toEqual({ batch: 32, mesh: 'data=2', microbatches: 2 });
    expect((await simulate('job.yaml --model-option width=64')).formulaParameters).toBeLessThan(
      (await simulate('job.yaml')).formulaParameters,
    );
  });

  describe('of a plan', () => {
    const args = (line: string, ...rest: string[]) => [...line.split(' '), ...rest, '--json'];
    const planOf = async (...given: string[]): Promise<string> => {
      const { stdout, stderr } = await cli(args('simulate planned.yaml', ...given), folder);
      expect(stderr).toBe('');
      return (JSON.parse(stdout) as JobSimulation).plan;
    };
    beforeAll(() =>
      writeFileSync(
        join(folder, 'planned.yaml'),
        'model: vit-tiny\nhardware: local\nchips: 4\nplan:\n  mesh: { data: 4 }\n  microbatches: 2\n  shard: optimizer\n  precision: { optimizer: bf16 }\n',
      ),
    );

    it('override the file option by option; --plan stands in its place, and is itself overridden', async () => {
      expect(await planOf('--prefetch', '2', '--shard', 'parameters', '--gradients', 'bf16')).toBe(
        'data=4 microbatches=2 shard=parameters prefetch=2 gradients=bf16 optimizer-state=bf16',
      );
      const short = 'model=4 microbatches=4 activations=sequence linears=bidirectional';
      expect(await planOf('--plan', short)).toBe(short);
      expect(await planOf('--plan', short, '--linears', 'ring')).toBe(short.replace('bidirectional', 'ring'));
    });

    it('are kept by a search wherever they have an effect', async () => {
      const { plans } = await json<{ plans: { plan: string; mesh: { model: number } }[] }>(
        'plan --model vit-tiny --hardware local --chips 4 --batch 32 --linears bidirectional --activations sequence',
        folder,
      );
      for (const { plan, mesh } of plans)
        expect(plan.includes(` activations=sequence linears=${LINEARS_ON[mesh.model]}`), plan).toBe(mesh.model > 1);
      expect(new Set(plans.map(({ mesh }) => mesh.model > 1)).size).toBe(2);
    });

    it('are one for each option', async () => {
      const { stdout } = await cli('simulate --help', folder);
      const flags = [...stdout.matchAll(/^ {2}--([\w-]+)/gm)].map(([, name]) => name!);
      expect(flags).toEqual(expect.arrayContaining(PLAN_OPTION_NAMES.map(planWord)));
    });
  });
});

describe('help', () => {
  it('is answered by every command, with status 0', async () => {
    const { status, stdout } = await cli('--help', folder);
    expect(status).toBe(0);
    const commands = [...stdout.matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name]) => name!);
    expect(commands).toEqual(
      expect.arrayContaining(['models', 'hardware', 'simulate', 'plan', 'train', 'compare', 'calibrate', 'demo']),
    );
    for (const command of commands) {
      const help = await cli(`${command} --help`, folder);
      expect({ ...help, stdout: '' }, command).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(help.stdout).toContain(`Usage: meshwright ${command}`);
      expect(help.stdout).toContain('--json');
    }
  });

  it('is what an unattended start without a command gets', async () => {
    const { status, stdout } = await cli('--help', folder);
    const alone = await cli('', folder);
    expect(alone).toEqual({ status, stdout, stderr: '' });
  });
});
