import { InferenceSession } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import type { ComputeName } from '../../../src/program/ops/index.js';
import { buildModel } from '../../../src/runtime/kernels/onnx/index.js';
import { createEncoder } from '../../../src/runtime/kernels/onnx/model.js';
import { providerOf, sessionOptions } from '../../../src/runtime/kernels/onnx/providers.js';
import { ALL_CASES, builtCase, describeConformance } from './conformance.js';
import { useVulkan } from './vulkan.js';

useVulkan();
await describeConformance('tfjs-webgpu');
const isHere = await describeConformance('onnx-webgpu');

/** Ops that may compute on the host: of scalars; and whether numbers are finite, which a shader need not know. */
const ON_THE_HOST: readonly ComputeName[] = ['adamw', 'update_loss_scale', 'count_nonfinite'];

it.skipIf(!isHere)('onnx-webgpu computes no tensor on the host', async () => {
  const encode = createEncoder();
  const options = sessionOptions('onnx-webgpu', 1);
  const strict = { session: { ...(options.extra?.session as object), disable_cpu_ep_fallback: '1' } };
  const refused = new Set<ComputeName>();
  for (const { name, example } of ALL_CASES) {
    const { spec } = builtCase('f32', name, example);
    const model = encode(buildModel(spec, providerOf('onnx-webgpu').lacks));
    try {
      await (await InferenceSession.create(model, { ...options, logSeverityLevel: 4, extra: strict })).release();
    } catch {
      refused.add(name);
    }
  }
  expect([...refused].sort()).toEqual([...ON_THE_HOST].sort());
});
