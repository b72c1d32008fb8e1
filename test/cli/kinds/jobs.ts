/** Job files that can't be read, or say what is not so. */
import type { Kind, Kinds } from './kind.js';

const job = (text: string): Pick<Kind, 'line' | 'files'> => ({
  line: 'simulate job.yaml',
  files: { 'job.yaml': text },
});

export const jobs: Kinds = {
  'no job file': {
    line: 'train job.yaml',
    code: 'JOB_INVALID',
    place: 'job.yaml',
    says: ['a readable job file', 'no such file'],
  },
  'bad YAML': { ...job('model: [vit-tiny\n'), code: 'JOB_INVALID', place: 'job.yaml:2', says: ['valid YAML'] },
  'an unknown key': {
    ...job('model: vit-tiny\nhardware: local\ntraining:\n  step: 3\n'),
    code: 'FIELD_UNKNOWN',
    place: 'job.yaml:4 (training.step)',
    says: ['did you mean steps?'],
  },
  'a wrong type': {
    ...job('model: vit-tiny\nhardware: local\nbatch: many\n'),
    code: 'JOB_INVALID',
    place: 'job.yaml:3 (batch)',
    says: ['a whole number', 'got "many"'],
  },
  'a quantity in the wrong unit': {
    ...job('model: vit-tiny\nhardware: local\nchips: 2\nbatch: 4\nplan:\n  mesh: { data: 2 }\n  bucket: 25 GFLOP/s\n'),
    code: 'JOB_INVALID',
    place: 'job.yaml:7 (plan.bucket)',
    says: ['got "25 GFLOP/s"'],
  },
  'a job file in another encoding': {
    line: 'simulate job.yaml',
    files: { 'job.yaml': Buffer.from('\ufeffmodel: vit-tiny\n', 'utf16le') },
    code: 'JOB_INVALID',
    place: 'job.yaml',
    says: ['got UTF-16, where text in UTF-8 belongs'],
  },
  'a setting out of its range': {
    ...job('model: vit-tiny\nhardware: local\ntraining: { monitor: -1 }\n'),
    code: 'JOB_INVALID',
    place: 'job.yaml:3 (training.monitor)',
    says: ['at least 0', 'got -1'],
  },
};
