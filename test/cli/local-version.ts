/** The shipped profile of this machine as a version of its own, as `profile` would keep it. */
import { readFileSync } from 'node:fs';
import type { ProfileStore, StoredProfile } from '../../src/calibrate/index.js';
import { fingerprintHere } from '../../src/calibrate/index.js';

export const addLocalVersion = (store: ProfileStore): StoredProfile =>
  store.addVersion({
    name: 'local',
    from: null,
    made: '2026-11-22T01:00:00.000Z',
    by: 'profile',
    accepted: true,
    reason: 'a test',
    machine: fingerprintHere('onnx'),
    profile: readFileSync('hardware-profiles/local.yaml', 'utf8').replace(
      'defaultStack: onnxruntime-cpu',
      'defaultStack: ./stack.yaml',
    ),
    stack: readFileSync('hardware-profiles/stacks/onnxruntime-cpu.yaml', 'utf8'),
  });
