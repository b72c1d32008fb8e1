/** What of onnxruntime runs a kernel's model. */
import { InferenceSession } from 'onnxruntime-node';
import { messageOf } from '../../failure.js';
import type { FamilyName } from '../families.js';
import type { Lacking } from './emitter.js';
import type { Model } from './model.js';
import { inTurn } from './turns.js';

export type OnnxFamilyName = Extract<FamilyName, 'onnx' | `onnx-${string}`>;

interface Provider {
  readonly name: 'cpu' | 'webgpu' | 'cuda';
  /** @param threads that a kernel runs on, where it runs on the CPU */
  device(threads: number): string;
  /** Operators that it lacks, so that onnxruntime would copy their operands to the host and compute there. */
  readonly lacks: Lacking;
  /** How sessions are made, run and released: at once, or by one thread of the process at a time. */
  readonly take: <T>(work: () => Promise<T>) => Promise<T>;
}

const atOnce: Provider['take'] = (work) => work();

const PROVIDERS: Readonly<Record<OnnxFamilyName, Provider>> = {
  onnx: {
    name: 'cpu',
    device: (threads) => `CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    lacks: new Set(),
    take: atOnce,
  },
  'onnx-webgpu': {
    name: 'webgpu',
    device: () => 'the GPU that WebGPU takes first',
    lacks: new Set(['FusedMatMul', 'LogSoftmax', 'OneHot']),
    take: inTurn,
  },
  'onnx-cuda': { name: 'cuda', device: () => 'the first CUDA GPU', lacks: new Set(), take: atOnce },
};

export const providerOf = (family: OnnxFamilyName): Provider => PROVIDERS[family];

export const sessionOptions = (family: OnnxFamilyName, threads: number): InferenceSession.SessionOptions => ({
  executionProviders: [PROVIDERS[family].name],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  // A session's arena keeps the peak of its kernel's temporaries for good, rounded up, and a rank has a session for
  // every structure. The C library's allocator reuses the same memory for all of them (see SYSTEM_BLOCKS): shapes
  // are known, so that from the second run on all temporaries lie in one block, each at its place.
  enableCpuMemArena: false,
  enableMemPattern: true,
  // Only errors: warnings of graph clean-ups go straight to the process's stderr.
  logSeverityLevel: 3,
  // Ranks share the cores: a thread that waits must not burn one.
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});

/** y0 = x0 + x0 of one number. */
const TRIAL: Model = {
  inputs: [{ name: 'x0', type: 'float', shape: [1] }],
  outputs: [{ name: 'y0', type: 'float', shape: [1] }],
  initializers: [],
  nodes: [{ opType: 'Add', domain: '', inputs: ['x0', 'x0'], outputs: ['y0'], attributes: {} }],
};

/**
 * Throws where the provider can't be had, which onnxruntime only says once it is given a model.
 *
 * @param encode as `createEncoder` makes it
 */
export async function requireProvider(family: OnnxFamilyName, encode: (model: Model) => Uint8Array): Promise<void> {
  if (family === 'onnx') return;
  try {
    const options = { ...sessionOptions(family, 1), logSeverityLevel: 4 } as const;
    await PROVIDERS[family].take(async () => (await InferenceSession.create(encode(TRIAL), options)).release());
  } catch (error) {
    // What stands before it is a place in onnxruntime's source, and the condition that did not hold.
    throw new Error(
      messageOf(error)
        .replace(/^.* was false\. /s, '')
        .trim(),
      { cause: error },
    );
  }
}
