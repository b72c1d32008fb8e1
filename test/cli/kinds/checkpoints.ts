/** Checkpoints that are none, or whose run is not there. */
import type { Kinds } from './kind.js';
import { GPT_JOB } from './kind.js';

/** A header, and so many bytes of tensors. */
function safetensors(header: object, bytes: number): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(bytes)]);
}

export const checkpoints: Kinds = {
  'no run to go on with': {
    line: 'train --resume run',
    code: 'RUN_INVALID',
    place: '--resume run',
    says: ['nothing there'],
  },
  'a run without checkpoints': {
    line: 'train --resume run',
    code: 'RUN_INVALID',
    place: '--resume run',
    says: ['a run folder with checkpoints', 'got none'],
    files: { 'run/job.yaml': 'model: vit-tiny\n' },
  },
  'a checkpoint outside of a run, and no job': {
    line: 'train --resume a.safetensors',
    code: 'RUN_INVALID',
    place: 'a.safetensors',
    says: ['job.yaml', 'give a job file'],
    files: { 'a.safetensors': '' },
  },
  'an empty checkpoint': {
    line: 'train job.yaml --resume a.safetensors',
    code: 'CHECKPOINT_INVALID',
    place: 'a.safetensors',
    says: [],
    files: { ...GPT_JOB, 'a.safetensors': '' },
  },
  'a checkpoint that is another file': {
    line: 'train job.yaml --resume a.safetensors',
    code: 'CHECKPOINT_INVALID',
    place: 'a.safetensors',
    says: [],
    files: { ...GPT_JOB, 'a.safetensors': 'PK\u0003\u0004, some archive or other' },
  },
  "another program's tensors": {
    line: 'train job.yaml --resume a.safetensors',
    code: 'CHECKPOINT_INVALID',
    place: 'a.safetensors',
    says: [],
    files: { ...GPT_JOB, 'a.safetensors': safetensors({ w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4) },
  },
  'a checkpoint that is cut off': {
    line: 'train job.yaml --resume a.safetensors',
    code: 'CHECKPOINT_INVALID',
    place: 'a.safetensors',
    says: [],
    files: {
      ...GPT_JOB,
      'a.safetensors': safetensors({ w: { dtype: 'F32', shape: [99], data_offsets: [0, 396] } }, 4),
    },
  },
};
