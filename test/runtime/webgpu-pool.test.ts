import { describe, expect, it } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import { createMesh } from '../../src/mesh/index.js';
import { Builder } from '../../src/program/index.js';
import type { FamilyName, HostTensor } from '../../src/runtime/index.js';
import { createKernelFamily } from '../../src/runtime/kernels/index.js';
import { useVulkan } from './kernels/vulkan.js';
import { createPool, parameter, tensorType } from './support.js';

useVulkan();

const isMissing = (name: FamilyName): Promise<boolean> =>
  createKernelFamily(name).then(
    async (family) => {
      await family.dispose();
      return false;
    },
    (error: unknown) => {
      if (error instanceof MeshwrightError && error.code === 'DEVICE_MISSING') return true;
      throw error;
    },
  );

describe.each(['onnx-webgpu', 'tfjs-webgpu'] as const)('two ranks on one GPU with %s', async (family) => {
  it.skipIf(await isMissing(family))('run at once and reduce what each has computed', async () => {
    const mesh = createMesh({ data: 2 });
    const builder = new Builder(mesh);
    const { value, input } = parameter(builder, 'x', tensorType([64], { data: 'partial' }, 'f32'));
    const at = { phase: 'forward' } as const;
    let scaled = value;
    for (let op = 0; op < 8; op++)
      scaled = builder.emit('scale', [scaled], { factor: 2 }, { id: `scale/${op}`, ...at });
    const sum = builder.emit('all_reduce', [scaled], { axis: 'data' }, { id: 'sum', ...at });
    const program = builder.finish([input], [{ name: 'sum', value: sum }]);
    const pool = await createPool(mesh, { family });
    try {
      await pool.load('program', program);
      await pool.setState(
        'parameter:x',
        [1, 2].map((fill) => new Float32Array(64).fill(fill)),
      );
      for (let run = 0; run < 5; run++) {
        const { outputs } = await pool.run('program', { outputs: ['sum'] });
        for (const { sum: got } of outputs) expect([...new Set(got as HostTensor)]).toEqual([3 * 2 ** 8]);
      }
    } finally {
      await pool.close();
    }
  });
});
