/** vit-bench as the peer's script trains it, as a job of ours. */
import type { Job, JobInput } from '../../src/job/index.js';
import { checkPlan, parsePlan, resolveTask } from '../../src/job/index.js';
import type { FamilyName } from '../../src/runtime/index.js';

export const CLASSES = 100;
export const TOKENS = 256;

/** ViT-L (Dosovitskiy et al. 2021, table 1) with patches of 14 pixels, and otherwise as vit-bench. */
const MODELS = {
  'vit-bench': 'vit-bench',
  'vit-l': { preset: 'vit-bench', name: 'vit-l', width: 1024, depth: 24, mlpWidth: 4096, heads: 16 },
} as const satisfies Record<string, JobInput['model']>;

export type PeerModel = keyof typeof MODELS;

/**
 * Its loss is a mean over images and classes, ours over images alone and so 100 times as large, as are its gradients: Adam
 * takes the same steps where its ε is as much larger.
 */
export const peerJob = (family: FamilyName, ranks: number, batch: number, model: PeerModel = 'vit-bench'): Job =>
  checkPlan(
    resolveTask({
      model: MODELS[model],
      hardware: 'local',
      chips: ranks,
      batch: ranks * batch,
      optimizer: { kind: 'adamw', learningRate: 1e-3, weightDecay: 0.01, decayed: 'all', epsilon: CLASSES * 1e-8 },
      training: { family },
    }),
    parsePlan(`data=${ranks} microbatches=1`, 'plan'),
  );
