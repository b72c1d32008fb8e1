/** Optimizer state in the host's memory and the order of axes over nodes, as they are asked for. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, json } from './in-process.js';
import { createFolder, removeFolder } from './support.js';

let folder: string;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => removeFolder(folder));

interface Simulated {
  readonly stepTimeSeconds: number;
  readonly peakMemoryBytesPerChip: number;
  readonly memoryBytesByRole: { readonly optimizer?: number };
  readonly hostMemory?: { readonly bytesPerChip: number; readonly capacityBytesPerChip: number };
  readonly exposedCommunicationByAxisSeconds: Readonly<Record<string, number>>;
}
interface Plans {
  readonly plans: readonly {
    readonly plan: string;
    readonly simulation: Simulated;
    readonly cost: { readonly dollarsPerStep: number };
  }[];
  readonly front: readonly { readonly plan: string; readonly cost: { readonly dollarsPerUnit: number } }[];
  readonly explanation: readonly { readonly part: string; readonly text: string }[];
}

const ONE_MESH = '--mesh data=16 --microbatches 1 --rematerialize none';
const TASK = '--model gpt-tiny --hardware h100-80gb-sxm --chips 16 --batch 64';

describe('optimizer state in the host', () => {
  it('leaves the chip by what lies there, for time that the step waits', async () => {
    const plan = '--mesh data=16 --shard optimizer --microbatches 1';
    const [none, streamed, host] = await Promise.all(
      ['none', 'streamed', 'host-update'].map((offload) =>
        json<Simulated>(`simulate ${TASK} ${plan} --optimizer-offload ${offload}`, folder),
      ),
    );
    expect(none!.hostMemory).toBeUndefined();
    // Two moments, and where the host updates a copy of the parameters.
    expect(streamed!.hostMemory!.bytesPerChip).toBe(none!.memoryBytesByRole.optimizer);
    expect(host!.hostMemory!.bytesPerChip).toBe(1.5 * streamed!.hostMemory!.bytesPerChip);
    for (const found of [streamed!, host!]) {
      expect(found.stepTimeSeconds).toBeGreaterThan(none!.stepTimeSeconds);
      expect(found.peakMemoryBytesPerChip).toBeLessThan(none!.peakMemoryBytesPerChip);
      expect(found.hostMemory!.capacityBytesPerChip).toBe(2e12 / 8);
    }
    expect(streamed!.exposedCommunicationByAxisSeconds['from-host']).toBeGreaterThan(0);
    expect(host!.exposedCommunicationByAxisSeconds['host-update']).toBeGreaterThan(0);
  });

  it('is a dimension of a search, whose winner is written and predicted the same', async () => {
    const wish = `${ONE_MESH} --shard optimizer --optimizer-offload host-update --output offload.yaml`;
    const { plans, explanation } = await json<Plans>(`plan ${TASK} ${wish} --top 2`, folder);
    expect(plans[0]!.plan).toContain('optimizer-offload=host-update');
    expect(explanation.find(({ part }) => part === 'optimizer-offload=host-update')!.text).toMatch(
      /^the optimizer's state lies in the host's memory; .* the step waits/,
    );
    const again = await json<Simulated>('simulate offload.yaml', folder);
    expect(again.stepTimeSeconds).toBe(plans[0]!.simulation.stepTimeSeconds);
    expect(again.peakMemoryBytesPerChip).toBe(plans[0]!.simulation.peakMemoryBytesPerChip);
    expect(again.hostMemory).toEqual(plans[0]!.simulation.hostMemory);
  });

  it('is named where it is what makes a plan fit', async () => {
    const { status, stderr } = await cli('plan --model llama-2-7b --hardware tpu-v5e --chips 4 --batch 64', folder);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/PLAN_DOES_NOT_FIT .* what would fit: optimizer-offload=streamed \(/);
  });

  it.each([
    ['local --chips 2', 'none on local, whose profile states no memory of a host'],
    ['tpu-v4 --chips 4', 'none or streamed on tpu-v4, whose profile does not state how fast its host'],
  ])('is refused on %s, in one message', async (hardware, expected) => {
    const { status, stderr } = await cli(
      `simulate --model vit-tiny --batch 8 --hardware ${hardware} --optimizer-offload host-update`,
      folder,
    );
    expect(status).not.toBe(0);
    expect(stderr).toContain(`PLAN_INVALID at plan.optimizerOffload: expected ${expected}`);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('the order of axes', () => {
  it('is searched where it is asked for, and only once where a mesh has no other', async () => {
    const wish = '--mesh data=8,model=2 --microbatches 1 --axis-order all --rematerialize none --shard none';
    const { plans } = await json<Plans>(`plan ${TASK} ${wish}`, folder);
    const orders = plans.map(({ plan }) => /axis-order=(\S+)/.exec(plan)?.[1] ?? 'usual');
    expect(new Set(orders)).toEqual(new Set(['usual', 'model,data']));
    const one = await json<Plans>(`plan ${TASK.replace('16', '8')} ${wish.replace('=8', '=4')}`, folder);
    expect(one.plans.some(({ plan }) => plan.includes('axis-order'))).toBe(false);
  });

  it('is refused of a torus', async () => {
    const { stderr } = await cli(`plan ${TASK.replace('h100-80gb-sxm', 'tpu-v4')} --axis-order data`, folder);
    expect(stderr).toContain('JOB_INVALID at axis-order: expected no order of axes, which only nodes have');
  });
});

describe('what plans cost', () => {
  it('is in proportion to chips and time on one machine', async () => {
    const { plans } = await json<Plans>(`plan ${TASK} ${ONE_MESH} --top 3`, folder);
    const rates = plans.map(({ cost, simulation }) => cost.dollarsPerStep / simulation.stepTimeSeconds);
    for (const rate of rates) expect(rate).toBeCloseTo((16 * 6.88) / 3600, 12);
    const { stdout } = await cli(`plan ${TASK} ${ONE_MESH} --top 1`, folder);
    expect(stdout).toMatch(/cost: \S+ USD and \S+ Wh a step, .* a billion\s+tokens/);
  });
});
