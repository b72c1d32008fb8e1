/** A section of `npm run bench:train`: training through WebGPU, where there is a GPU that it can use. */
import { median } from 'simple-statistics';
import { findDevices } from '../../src/cli/devices.js';
import { modelFlops } from '../../src/job/index.js';
import { SOFTWARE } from '../../src/runtime/index.js';
import type { Checks } from '../checks.js';
import type { PeerModel } from './job.js';
import { peerJob, TOKENS } from './job.js';
import type { Ask } from './requests.js';

const MODELS: readonly PeerModel[] = ['vit-bench', 'vit-l'];
const BATCH = 8;
const STEPS = 6;
const ROUNDS = 5;

export async function addGpu(checks: Checks, ask: Ask, say: (text: string) => void): Promise<void> {
  const { families, system } = await findDevices();
  const onWebgpu = families.filter(({ name }) => name.endsWith('-webgpu'));
  // All of them take the same adapter, and tfjs's tells which it is.
  const adapter = onWebgpu.find(({ name }) => name === 'tfjs-webgpu')?.device ?? null;
  if (adapter === null || adapter.includes(SOFTWARE)) {
    const found = adapter === null ? 'no adapter' : adapter;
    checks.note(`WebGPU: ${found} here, so that its speed is not measured.`);
    return;
  }
  for (const { name: family, device } of onWebgpu) {
    if (device === null) continue;
    say(`${family} on ${adapter}`);
    const ceiling = median([...(await ask('ceiling', { family, ranks: 1, rounds: ROUNDS })).flops]);
    checks.add(`${family}: 2048³ products`, ceiling / 1e9, 'GFLOP/s');
    for (const model of MODELS) {
      const { seconds } = await ask('steps', { family, ranks: 1, batch: BATCH, steps: STEPS, model });
      const step = median(seconds.slice(1));
      const flops = modelFlops(peerJob(family, 1, BATCH, model).model, BATCH) / step;
      checks.add(`${family}: ${model}, ${BATCH} images`, (BATCH * TOKENS) / step, 'tokens/s');
      checks.add("  model FLOPs of the family's own products (MFU)", (100 * flops) / ceiling, '%');
    }
  }
  checks.note(`WebGPU: ${adapter}, ${system}; medians of ${STEPS - 1} steps.`);
}
