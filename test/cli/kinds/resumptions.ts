/** Runs that can't be gone on with. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import type { Kinds } from './kind.js';
import { CHECKPOINT } from './kind.js';

const untouched = (): void => undefined;
const flip = (path: string): void => {
  const bytes = readFileSync(path);
  bytes[bytes.length - 5]! ^= 1;
  writeFileSync(path, bytes);
};

/** Of a run that is there. */
export const resumptions: Kinds = {
  'a run that is over': {
    line: 'train --resume run',
    run: untouched,
    code: 'JOB_INVALID',
    place: 'training.steps',
    says: ['more than the 2 steps', 'got 2', '--steps 4'],
  },
  'a checkpoint of another model': {
    line: 'train --resume run --steps 3 --model-option depth=1',
    run: untouched,
    code: 'JOB_INVALID',
    place: 'model.depth',
    says: [`as ${CHECKPOINT} has it`, 'got 1'],
  },
  'a checkpoint of another optimizer': {
    line: 'train --resume run --steps 3 --optimizer sgd',
    run: untouched,
    code: 'JOB_INVALID',
    place: 'optimizer.kind',
    says: [`as ${CHECKPOINT} has it`, 'got sgd'],
  },
  'a checkpoint of other data': {
    line: 'train --resume run --steps 3 --text b.txt',
    run: untouched,
    files: { 'b.txt': 'that is the question '.repeat(200) },
    code: 'JOB_INVALID',
    place: 'training.text',
    says: [`as ${CHECKPOINT} has it`],
  },
  'a checkpoint of another seed': {
    line: 'train --resume run --steps 3 --seed 5',
    run: untouched,
    code: 'JOB_INVALID',
    place: 'training.seed',
    says: ['got 5'],
  },
  'a checkpoint that was cut off': {
    line: 'train --resume run --steps 3',
    run: (path) => truncateSync(path, 5000),
    code: 'CHECKPOINT_INVALID',
    place: CHECKPOINT,
    says: [],
  },
  'a checkpoint of which a bit is wrong': {
    line: 'train --resume run --steps 3',
    run: flip,
    code: 'CHECKPOINT_INVALID',
    // Its last bytes are those of the last tensor.
    place: `${CHECKPOINT}, tensor optimizer/second-moment/norm/bias`,
    says: ['checksum', 'the file was damaged'],
  },
};
