/** vit-bench as the peer's script trains it, as a job of ours. */
import type { Job } from '../../src/job/index.js';
import { checkPlan, parsePlan, resolveTask } from '../../src/job/index.js';
import type { FamilyName } from '../../src/runtime/index.js';

export const CLASSES = 100;
export const TOKENS = 256;

/**
 * Its loss is a mean over images and classes, ours over images alone and so 100 times as large, as are its gradients: Adam
 * takes the same steps where its ε is as much larger.
 */
export const peerJob = (family: FamilyName, ranks: number, batch: number): Job =>
  checkPlan(
    resolveTask({
      model: 'vit-bench',
      hardware: 'local',
      chips: ranks,
      batch: ranks * batch,
      optimizer: { kind: 'adamw', learningRate: 1e-3, weightDecay: 0.01, decayed: 'all', epsilon: CLASSES * 1e-8 },
      training: { family },
    }),
    parsePlan(`data=${ranks} microbatches=1`, 'plan'),
  );
