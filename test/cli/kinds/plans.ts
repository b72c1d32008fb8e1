/** Plans that a model or its hardware does not allow. */
import type { Kinds } from './kind.js';
import { SIMULATE, IMAGES } from './kind.js';

export const plans: Kinds = {
  'heads that do not divide': {
    line: `${SIMULATE} --mesh model=3 --batch 6`,
    code: 'PLAN_DOES_NOT_DIVIDE',
    place: 'plan.mesh.model',
    says: ['got 3', 'use 1, 2, 4'],
  },
  'a batch that does not divide': {
    line: `${SIMULATE} --mesh data=4 --batch 6`,
    code: 'PLAN_DOES_NOT_DIVIDE',
    place: 'plan.mesh.data',
    says: ['6 images', 'got 4'],
  },
  'microbatches that do not divide': {
    line: `${SIMULATE} --batch 8 --microbatches 3`,
    code: 'PLAN_DOES_NOT_DIVIDE',
    place: 'plan.microbatches',
    says: ['the batch of 8', 'got 3'],
  },
  'more stages than layers': {
    line: `${SIMULATE} --mesh pipe=16 --microbatches 16 --batch 16`,
    code: 'PLAN_INVALID',
    place: 'plan.mesh',
    says: ['at most 6 virtual stages for 4 layers', 'got 16'],
  },
  'a mesh of other chips than there are': {
    line: `${SIMULATE} --mesh data=4 --chips 8 --batch 8`,
    code: 'MESH_DOES_NOT_MULTIPLY',
    place: 'plan.mesh',
    says: ['8 chips', '4'],
  },
  'an unknown option': {
    line: `${SIMULATE} --plan microbatch=4`,
    code: 'FIELD_UNKNOWN',
    place: '--plan',
    says: ['did you mean microbatches?'],
  },
  'an unknown flag': {
    line: `${SIMULATE} --shards parameters`,
    code: 'USAGE',
    place: 'command line',
    says: ["unknown option '--shards'", 'did you mean --shard?'],
  },
  'a value that an option does not have': {
    line: `${SIMULATE} --shard everything`,
    code: 'JOB_INVALID',
    place: '--shard',
    says: ['one of', 'got "everything"'],
  },
  'options that contradict each other': {
    line: `${SIMULATE} --mesh data=2 --batch 4 --prefetch 2`,
    code: 'PLAN_INVALID',
    place: 'plan.prefetch',
    says: ['shard=parameters'],
  },
  'an option without anything to apply to': {
    line: `${SIMULATE} --mesh data=2 --batch 4 --linears ring`,
    code: 'PLAN_INVALID',
    place: 'plan.linears',
    says: ['a larger model axis'],
  },
  'a schedule without a pipeline': {
    line: `${SIMULATE} --schedule gpipe`,
    code: 'PLAN_INVALID',
    place: 'plan.schedule',
    says: ['pipe'],
  },
  'a value given twice': {
    line: `${SIMULATE} --mesh pipe=2 --batch 8 --microbatches 4 --schedule gpipe --schedule 1f1b`,
    code: 'USAGE',
    place: '--schedule',
    says: ['one value', 'several'],
  },
  'a model that is too big for memory': {
    line: 'train --model vit-22b --hardware local --batch 2 --images set --steps 1',
    code: 'PLAN_DOES_NOT_FIT',
    place: 'data=1 microbatches=1',
    says: ['at most', 'a smaller model'],
    files: IMAGES,
  },
};
