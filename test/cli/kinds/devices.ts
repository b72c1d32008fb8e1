/** Kernel families, types and hardware that are not there. */
import { editedProfile } from '../support.js';
import type { Kinds } from './kind.js';
import { VIT, IMAGES } from './kind.js';

const { text: HALVES } = editedProfile(
  'local',
  '    f32:',
  '    bf16: { peak: { value: 220 GFLOP/s, source: a test, status: assumed }, achievable: { value: 1, source: a test, status: assumed } }\n    f32:',
);

export const devices: Kinds = {
  'an unknown family': {
    line: `${VIT} --images set --family torch`,
    code: 'USAGE',
    place: 'command line',
    says: ['torch', 'onnx'],
    files: IMAGES,
  },
  'a device that is not there': {
    line: `${VIT} --images set --family onnx-cuda`,
    code: 'DEVICE_MISSING',
    place: 'kernel family onnx-cuda',
    says: ['meshwright hardware --local'],
    files: IMAGES,
  },
  'a type that the hardware lacks': {
    line: `${VIT} --images set --compute f64`,
    code: 'DTYPE_UNSUPPORTED',
    place: 'plan.precision.compute',
    says: ['got f64'],
    files: IMAGES,
  },
  'a type that the family lacks': {
    line: `train --model vit-tiny --hardware ./halves.yaml --batch 2 --steps 1 --images set --compute bf16 --family tfjs-wasm`,
    code: 'DTYPE_UNSUPPORTED',
    place: 'precision',
    says: ['kernel family tfjs-wasm', 'got bf16'],
    files: { ...IMAGES, 'halves.yaml': HALVES },
  },
  'hardware that is not here': {
    line: `train --model vit-tiny --hardware tpu-v4 --batch 2 --images set`,
    code: 'JOB_INVALID',
    place: 'hardware',
    says: ['train with --hardware local'],
    files: IMAGES,
  },
  'unknown hardware': {
    line: 'simulate --model vit-tiny --hardware loca',
    code: 'HARDWARE_UNKNOWN',
    place: 'hardware',
    says: ['did you mean local?'],
  },
};
