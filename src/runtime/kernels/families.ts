/**
 * The table of kernel families: what jobs, flags, messages and documents name them by. It imports no tensor library, so
 * that a job can be read without one; what makes a family is in `index.ts`.
 */
import type { DType } from '../../program/dtype.js';

export interface FamilyRow {
  /** Which library computes on what. */
  readonly title: string;
  /** Element types of the tensors that its kernels take and give. */
  readonly dtypes: readonly DType[];
  /** What it needs where it can't be had, and how to get that. */
  readonly needs: string;
}

/** What WebGPU needs. */
const A_GPU =
  'a GPU and its driver: on Linux one for Vulkan, and its loader (apt-get install libvulkan1); to try it without a GPU, apt-get install chromium-common and VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json';

export const FAMILIES = {
  onnx: {
    title: 'onnxruntime on the CPU',
    dtypes: ['f32', 'bf16', 'f16', 'i32'],
    needs: 'onnxruntime-node, a dependency of Meshwright that holds its binaries: npm install',
  },
  'onnx-webgpu': {
    title: 'onnxruntime on a GPU through WebGPU',
    dtypes: ['f32', 'i32'],
    needs: A_GPU,
  },
  'onnx-cuda': {
    title: 'onnxruntime on an NVIDIA GPU through CUDA 12 (Linux, x86-64)',
    dtypes: ['f32', 'bf16', 'f16', 'i32'],
    needs:
      'an NVIDIA GPU, CUDA 12 with cuDNN 9, and the provider, which is downloaded by ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node',
  },
  'tfjs-wasm': {
    title: 'tfjs on WebAssembly',
    dtypes: ['f32', 'i32'],
    needs: '@tensorflow/tfjs-backend-wasm, a dependency of Meshwright: npm install',
  },
  'tfjs-node': {
    title: 'tfjs on libtensorflow',
    dtypes: ['f32', 'i32'],
    needs: 'npm install @tensorflow/tfjs-node-gpu (or @tensorflow/tfjs-node), which downloads libtensorflow',
  },
  'tfjs-webgpu': {
    title: 'tfjs on a GPU through WebGPU',
    dtypes: ['f32', 'i32'],
    needs: `the packages webgpu and @tensorflow/tfjs-backend-webgpu, which npm install brings where it can, and ${A_GPU}`,
  },
  reference: {
    title: 'plain TypeScript in float64, to check the others',
    dtypes: ['f64', 'f32', 'bf16', 'f16', 'i32'],
    needs: 'nothing',
  },
} as const satisfies Record<string, FamilyRow>;

/** In the name of a device that is the CPU in the guise of a GPU. */
export const SOFTWARE = '(software)';

export type FamilyName = keyof typeof FAMILIES;

/** In the table's order. */
export const FAMILY_NAMES = Object.keys(FAMILIES) as [FamilyName, ...FamilyName[]];

/** The family of a job that names none. */
export const DEFAULT_FAMILY: FamilyName = 'onnx';

export const familyRow = (name: FamilyName): FamilyRow => FAMILIES[name];
