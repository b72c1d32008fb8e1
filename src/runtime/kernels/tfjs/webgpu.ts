/** tfjs on a GPU through Dawn, Chromium's WebGPU, which the package webgpu brings to Node. */
import * as tf from '@tensorflow/tfjs-core';
import { SOFTWARE } from '../families.js';
import type { Numbers } from '../tensors.js';
import type { Backend } from './backend.js';

const NAME = 'webgpu';

/** What Dawn says of a GPU that is there, most telling first. */
const deviceName = ({ description, device, architecture, vendor }: GPUAdapterInfo): string =>
  [description, device, architecture, vendor].find((text) => text !== '') ?? 'a GPU';

/** Kept: where it is collected as garbage, Dawn's devices go with it, and their next use is a segmentation fault. */
const instances: GPU[] = [];

async function findAdapter(): Promise<{ readonly gpu: GPU; readonly adapter: GPUAdapter }> {
  const { create, globals } = await import('webgpu');
  // tfjs reads the constants of WebGPU from there.
  Object.assign(globalThis, globals);
  const gpu = create([]);
  instances.push(gpu);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new Error('Dawn found no GPU that it has a driver for');
  return { gpu, adapter };
}

/** Without `navigator.gpu` tfjs takes no device, though one is given to it. */
function beside<T>(gpu: GPU, make: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  try {
    return make();
  } finally {
    if (before === undefined) delete (globalThis as { navigator?: unknown }).navigator;
    else Object.defineProperty(globalThis, 'navigator', before);
  }
}

/** The largest that the adapter allows, where WebGPU's defaults are less than training needs. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const;

/** @throws Error where a package or a GPU can't be had */
export async function loadWebgpu(): Promise<Backend> {
  const { gpu, adapter } = await findAdapter();
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
  const device = await adapter.requestDevice({ requiredLimits });
  const backend = beside(gpu, () => new WebGPUBackend(device, adapter.info));
  tf.registerBackend(NAME, () => backend, 0);
  if (!(await tf.setBackend(NAME))) throw new Error('tfjs could not start its WebGPU backend');
  // Small tensors too: the GPU computes everything.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  return {
    name: NAME,
    device: `${deviceName(adapter.info)}${adapter.info.isFallbackAdapter ? ` ${SOFTWARE}` : ''}`,
    keeps: true,
    async settle() {
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.submitQueue();
      await device.queue.onSubmittedWorkDone();
    },
    matmul: (a, b, transposeA, transposeB) => tf.matMul(a, b, transposeA, transposeB),
    split: (x, sizes) => tf.split(x, [...sizes], 1),
    sumRows: (x, weights) => tf.sum(weights === undefined ? x : tf.mul(x, tf.reshape(weights, [x.shape[0]!, 1])), 0),
    decay: (x) => tf.exp(x),
    read: async (x, target: Numbers) => target.set(await x.data()),
  };
}
