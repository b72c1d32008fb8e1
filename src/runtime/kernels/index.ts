/** The kernel families by name. A tensor library is loaded with the family that needs it. */
import { MeshwrightError } from '../../errors.js';
import type { FamilyName } from './families.js';
import { familyRow } from './families.js';
import type { KernelFamily, ProcessThreads } from './family.js';

/**
 * glibc finds room for an aligned block in a piece that is larger, and cuts off what is before and after it. Such scraps go
 * into caches for small sizes, where they count as in use: once the block is freed the piece is whole no more, and a next
 * block of its size doesn't fit there. Without these caches free neighbours are joined at once: two ranks of a small ViT
 * (vit-bench of 16 patches, 600 steps) then held 570 to 680 MB instead of 740 to 775, at the same speed.
 */
const JOINED_AT_ONCE = 'glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0';

/**
 * For the process that runs kernels, to be set when it is started: glibc takes every block of 1 MB and more from the
 * system and gives it back, in pages of 2 MB where they fit. Otherwise onnxruntime's temporaries, which are aligned
 * and so don't fit where others of their size were, leave holes that are never used again: a step's peak was up to half
 * again as large as its tensors (ViTs of 12 layers, batch 4 and 8). The price is zeroing pages again: 7 % of one rank's
 * processor time, 12 % of two ranks' (vit-bench, batch 4, Zen 4), so that this is for when memory is scarce. Tensors
 * between kernels are not concerned (see `Memory`). Other C libraries ignore it.
 */
const SYSTEM_BLOCKS: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 20),
  GLIBC_TUNABLES: `glibc.malloc.hugetlb=1:${JOINED_AT_ONCE}`,
};

/**
 * For libtensorflow, where each op's result is a block of its own: with those above, pages of zeros for them took as long
 * as the ops that are no products (ViT of 6 layers, batch 4). glibc keeps what is freed, and blocks up to its limit for
 * that.
 */
const KEPT_BLOCKS: Readonly<Record<string, string>> = {
  ...SYSTEM_BLOCKS,
  MALLOC_MMAP_THRESHOLD_: String(2 ** 25),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 30),
};

/** As those, for blocks that hold all temporaries of a kernel, see `sessionOptions` of onnxruntime. */
const LARGE_KEPT_BLOCKS: Readonly<Record<string, string>> = { ...KEPT_BLOCKS, MALLOC_MMAP_THRESHOLD_: String(2 ** 28) };

/**
 * As those, and nothing is ever given back: what a backward pass frees at its end, the next step takes. Pages of 2 MB,
 * which are cleared whole, took up to a third of a second of the first steps (vit-bench, batch 4, 2 ranks).
 */
const HELD_BLOCKS: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(2 ** 28),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 40),
  GLIBC_TUNABLES: JOINED_AT_ONCE,
};

/**
 * @param family that the process will compute with; the default one unless given
 * @param isAmple whether there is memory to spare, which may then be wasted for speed
 */
export function mallocEnvironment(family?: FamilyName, isAmple = false): Readonly<Record<string, string>> {
  if (family === 'tfjs-node') return isAmple ? HELD_BLOCKS : KEPT_BLOCKS;
  return isAmple ? LARGE_KEPT_BLOCKS : SYSTEM_BLOCKS;
}

export interface KernelFamilyOptions {
  /** Cores that one kernel runs on, where the family computes on them; the reference family uses one. Default 1. */
  readonly threads?: number;
}

interface Loader {
  create(options: Required<KernelFamilyOptions>): Promise<KernelFamily>;
  /** What the process's main thread has to do before threads of it make the family. */
  prepareProcess?(threads: ProcessThreads): Promise<void>;
}

const onnx = (name: 'onnx' | 'onnx-webgpu' | 'onnx-cuda'): Loader => ({
  create: async (options) => (await import('./onnx/index.js')).createOnnxFamily(name, options),
});

const LOADERS: Readonly<Record<FamilyName, Loader>> = {
  onnx: onnx('onnx'),
  'onnx-webgpu': { ...onnx('onnx-webgpu'), prepareProcess: async () => (await import('./onnx/turns.js')).shareTurn() },
  'onnx-cuda': onnx('onnx-cuda'),
  'tfjs-wasm': {
    create: async () =>
      (await import('./tfjs/index.js')).createTfjsFamily(
        'tfjs-wasm',
        await (await import('./tfjs/wasm.js')).loadWasm(),
      ),
  },
  'tfjs-node': {
    create: async () =>
      (await import('./tfjs/index.js')).createTfjsFamily(
        'tfjs-node',
        await (await import('./tfjs/native.js')).loadNative(),
      ),
    prepareProcess: async (threads) => (await import('./tfjs/native.js')).prepareNative(threads),
  },
  'tfjs-webgpu': {
    create: async () =>
      (await import('./tfjs/index.js')).createTfjsFamily(
        'tfjs-webgpu',
        await (await import('./tfjs/webgpu.js')).loadWebgpu(),
      ),
  },
  reference: { create: async () => (await import('./reference/index.js')).createReferenceFamily() },
};

async function orMissing<T>(name: FamilyName, made: Promise<T>): Promise<T> {
  try {
    return await made;
  } catch (error) {
    if (error instanceof MeshwrightError) throw error;
    const { title, needs } = familyRow(name);
    const got = error instanceof Error ? error.message : String(error);
    const place = `kernel family ${name}`;
    throw new MeshwrightError(
      'DEVICE_MISSING',
      { place, expected: title, got, hint: `needs ${needs}` },
      { cause: error },
    );
  }
}

/** @throws MeshwrightError DEVICE_MISSING where the family can't be had on this machine, saying how it can */
export const createKernelFamily = (
  name: FamilyName,
  { threads = 1 }: KernelFamilyOptions = {},
): Promise<KernelFamily> => orMissing(name, LOADERS[name].create({ threads }));

/**
 * To be awaited in the process's main thread before threads of it make the family.
 *
 * @throws MeshwrightError DEVICE_MISSING, as `createKernelFamily`
 */
export async function prepareProcess(name: FamilyName, threads: ProcessThreads): Promise<void> {
  const prepare = LOADERS[name].prepareProcess?.(threads);
  if (prepare !== undefined) await orMissing(name, prepare);
}

export type { CompiledKernel, FamilyName, HostTensor, KernelFamily, KernelSpec } from './family.js';
export { structureKey } from './family.js';
