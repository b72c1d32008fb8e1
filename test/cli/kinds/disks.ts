/** Folders and files that are in the way, or can't be written. */
import type { Kinds } from './kind.js';
import { VIT, SIMULATE, IMAGES } from './kind.js';

export const disks: Kinds = {
  'a run folder that exists': {
    line: `${VIT} --images set --run old`,
    code: 'RUN_EXISTS',
    place: 'old',
    says: ['name another with --run'],
    files: { ...IMAGES, 'old/job.yaml': 'model: mine\n' },
  },
  'a run folder that is a file': {
    line: `${VIT} --images set --run old`,
    code: 'RUN_EXISTS',
    place: 'old',
    says: ['does not exist'],
    files: { ...IMAGES, old: 'mine' },
  },
  'a run folder below a file': {
    line: `${VIT} --images set --run old/run`,
    code: 'RUN_INVALID',
    place: 'old/run',
    says: ['a folder that can be made', 'a path that leads through a file'],
    files: { ...IMAGES, old: 'mine' },
  },
  // Not even the superuser makes folders there.
  'a run folder in a place where nothing can be written': {
    line: `${VIT} --images set --run /proc/run`,
    code: 'RUN_INVALID',
    place: '/proc/run',
    says: ['a folder that can be made'],
    files: IMAGES,
  },
  'a full disk': {
    line: `${SIMULATE} --trace /dev/full`,
    code: 'USAGE',
    place: '/dev/full',
    says: ['a file that can be written', 'no space left on the device'],
  },
  'a comparison of what is no run': {
    line: 'compare nope',
    code: 'RUN_INVALID',
    place: 'nope',
    says: ['the folder of a run', 'nothing there'],
  },
  'a comparison of a run that has not ended': {
    line: 'compare run',
    code: 'RUN_INVALID',
    place: 'run/comparison.json',
    says: ['no such file', 'train writes it when it ends'],
    files: { 'run/job.yaml': 'model: vit-tiny\n' },
  },
  'a calibration on a damaged run': {
    line: 'calibrate --runs run --output new',
    code: 'RUN_INVALID',
    place: 'run/comparison.json',
    says: ['a meshwright/comparison@3 document'],
    files: { 'run/job.yaml': 'model: vit-tiny\nhardware: local\n', 'run/comparison.json': '{' },
  },
};
