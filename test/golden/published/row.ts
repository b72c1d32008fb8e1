/** How published runs are written down here: what the source says, and how long a step took by it. */
import type { Row } from '../../../src/validate/index.js';

interface Model {
  readonly name: string;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly tokens: number;
  readonly vocabulary: number;
  readonly keyValueHeads?: number;
  readonly headWidth?: number;
  /** Four times the width unless given. */
  readonly mlpWidth?: number;
  readonly gatedMlp?: boolean;
  readonly tiedEmbeddings?: boolean;
  readonly parallelBlock?: boolean;
}

export interface Run {
  readonly model: Model;
  readonly hardware: Row['hardware'];
  readonly plan: Partial<Row['plan']> & Pick<Row['plan'], 'microbatch' | 'globalBatch'>;
  /** Of a step. */
  readonly seconds?: number;
  readonly fits?: boolean;
}

export interface Publication {
  readonly set: string;
  readonly stack: string;
  /** Where the figures stand. */
  readonly source: string;
  readonly runs: readonly Run[];
}

const modelOf = ({ tokens, ...model }: Model): Row['model'] => ({
  family: 'decoder',
  keyValueHeads: model.heads,
  headWidth: model.width / model.heads,
  mlpWidth: 4 * model.width,
  gatedMlp: false,
  tiedEmbeddings: true,
  parallelBlock: false,
  sequenceLength: tokens,
  ...model,
});

const planOf = (plan: Run['plan']): Row['plan'] => ({
  data: 1,
  model: 1,
  pipe: 1,
  sequence: 1,
  zeroStage: 0,
  schedule: '1f1b',
  virtualStages: 1,
  recompute: 'none',
  precision: 'bf16',
  attention: 'flash',
  ...plan,
});

const sizesOf = ({ data, model, pipe, sequence }: Row['plan']): string => [data, model, pipe, sequence].join('×');

export const rowsOf = ({ set, stack, runs }: Publication): Row[] =>
  runs.map((run) => {
    const plan = planOf(run.plan);
    return {
      id: `${set}/${run.model.name}/${sizesOf(plan)}/${plan.globalBatch}/${plan.microbatch}/${plan.schedule}/${plan.recompute}`,
      set,
      stack,
      model: modelOf(run.model),
      hardware: run.hardware,
      plan,
      measured: {
        ...(run.seconds === undefined ? {} : { stepTimeSeconds: run.seconds }),
        ...(run.fits === undefined ? {} : { fits: run.fits }),
      },
    };
  });
