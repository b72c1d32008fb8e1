/**
 * The form of the profile files. Every number is `{ value, source, status }`; quantities are text with a unit
 * (`1.2 TB/s`), whose meaning `resolve.ts` reads. Unknown fields are refused.
 */
import { z } from 'zod';
import {
  ALGORITHMS,
  ATTENTION_KERNELS,
  COLLECTIVES,
  MATMUL_DTYPES,
  MATMUL_FORMS,
  STATUSES,
  TORUS_DIMENSIONS,
  WORK_KINDS,
  WRAPAROUND_RULES,
} from './names.js';

/**
 * How well a measured number repeats: half of what lies between the 10th and the 90th percentile of the blocks it was
 * measured in, over their median.
 */
const repeatability = z.number().nonnegative().optional();
const provenance = {
  source: z.string('a source').min(3, 'a source of at least 3 characters'),
  status: z.enum(STATUSES),
  repeatability,
};
const sourced = <T extends z.ZodType>(value: T) => z.strictObject({ value, ...provenance });

/** Text that should be a quantity; a bare number gets its own error, with the units to choose from, when resolved. */
const amount = z.union([z.string(), z.number()]);
const quantity = sourced(amount);
const count = sourced(z.int().positive());
const fraction = sourced(z.number().positive().max(1));
const flag = sourced(z.boolean());
const share = sourced(z.number().min(0).lt(1));
/** A fraction of the peak, or a rate. */
const achievable = sourced(z.union([z.string(), z.number().positive().max(1)]));
const rate = z.strictObject({ peak: quantity, achievable });

const size = z.int().positive();
const points = z.strictObject({
  ...provenance,
  values: z.array(
    z.strictObject({
      batch: size,
      m: size,
      n: size,
      k: size,
      form: z.enum(MATMUL_FORMS).optional(),
      rate: amount,
      repeatability,
    }),
  ),
});
const matmul = z.strictObject({ peak: quantity, achievable, points: points.optional() });

const tiles = z.strictObject({
  ...provenance,
  values: z.array(z.strictObject({ rows: size, columns: size, efficiency: z.number().positive().max(1) })).min(1),
});

/** The share of the peak that a kernel reaches that moves less than a size. */
const smallTransfers = z.strictObject({
  ...provenance,
  values: z
    .array(z.strictObject({ below: z.union([z.string(), z.number()]), share: z.number().positive().max(1) }))
    .min(1),
});

/** Of ops that are no matmuls, by what an op reads and writes and how long its rows are. */
const opTimes = z.strictObject({
  ...provenance,
  values: z
    .array(
      z.strictObject({
        op: z.string().regex(/^[a-z_0-9]+$/, 'the name of an op'),
        bytes: amount,
        row: size.optional(),
        time: amount,
        repeatability,
      }),
    )
    .min(1),
});

/** What a kind of work takes, over what the profile's other numbers say. */
const corrections = z.strictObject({
  ...provenance,
  values: z.array(z.strictObject({ work: z.enum(WORK_KINDS), factor: z.number().positive(), repeatability })).min(1),
});

const fusedAttention = z.strictObject({
  forward: fraction,
  backward: fraction,
  softmaxWidth: sourced(z.int().nonnegative()),
  startLength: sourced(z.int().nonnegative()),
  headWidthMultiple: count,
});

const torus = z.strictObject({
  kind: z.literal('torus'),
  dimensions: sourced(z.int().positive().max(TORUS_DIMENSIONS.length)),
  largestSlice: sourced(z.array(size).min(1)),
  linkBandwidthPerDirection: rate,
  hopLatency: quantity,
  wraparound: z.strictObject({
    rule: z.enum(WRAPAROUND_RULES),
    multiple: count.optional(),
    dimensions: sourced(z.array(z.boolean())).optional(),
  }),
  canTwist: flag.optional(),
  multiAxisShare: fraction.optional(),
  dataCenterNetwork: z
    .strictObject({
      chipsPerHost: count,
      hostBandwidthPerDirection: rate,
      latency: quantity,
      mostSlices: count,
    })
    .optional(),
});

const network = z.strictObject({
  cardsPerNode: count,
  cardBandwidthPerDirection: rate,
  latency: quantity,
  inSwitchReduction: flag.optional(),
  fatTree: z
    .strictObject({
      nodesPerLeaf: count,
      rails: flag,
      oversubscription: sourced(z.number('a number of at least 1').min(1, 'a number of at least 1')),
    })
    .optional(),
});

const node = {
  chipsPerNode: count,
  nodeBandwidthPerChipPerDirection: rate,
  nodeLatency: quantity,
  pairBandwidthPerDirection: quantity.optional(),
  collectiveStart: quantity.optional(),
  network: network.optional(),
};
const switched = z.strictObject({ kind: z.literal('switch'), ...node, inSwitchReduction: flag.optional() });
const fullyConnected = z.strictObject({ kind: z.literal('fully-connected'), ...node });

const sharedMemory = z.strictObject({
  kind: z.literal('shared-memory'),
  cores: count,
  busyCoreRateFraction: fraction,
  transferBandwidthPerChip: rate,
  messageLatency: quantity,
  hostMemoryBandwidth: rate,
  collectiveStart: quantity.optional(),
  contention: z
    .strictObject({
      ...provenance,
      values: z
        .array(
          z.strictObject({
            ranks: size,
            work: z.enum(WORK_KINDS).optional(),
            factor: z.number().positive(),
            repeatability,
          }),
        )
        .min(1),
    })
    .optional(),
  transfers: z
    .strictObject({
      ...provenance,
      values: z.array(z.strictObject({ ranks: size, bandwidth: amount, latency: amount, repeatability })).min(1),
    })
    .optional(),
  waits: z
    .strictObject({
      ...provenance,
      values: z
        .array(
          z.strictObject({
            ranks: size,
            start: amount,
            walk: amount,
            repeatability,
          }),
        )
        .min(1),
    })
    .optional(),
  transferEfforts: z
    .strictObject({
      ...provenance,
      values: z
        .array(z.strictObject({ collective: z.enum(COLLECTIVES), effort: z.number().min(1), repeatability }))
        .min(1),
    })
    .optional(),
});

const price = z.strictObject({
  value: z.union([z.string(), z.number()]),
  /** Of whoever lets it: `AWS us-east-1`. */
  region: z.string('a region, as in AWS us-east-1').min(3, 'a region of at least 3 characters'),
  date: z
    .string('a date in quotes, as in "2026-11-09"')
    .regex(/^\d{4}-\d{2}(-\d{2})?$/, 'a day or a month, as in "2026-11-09" or "2026-11"'),
  ...provenance,
});

/** The machine that chips are attached to, whose memory they may use. */
const host = z.strictObject({
  chipsPerHost: count,
  memoryCapacity: quantity,
  memoryBandwidth: rate.optional(),
  linkBandwidthPerChipPerDirection: rate,
  linkLatency: quantity,
});

const power = z.strictObject({ limit: quantity, training: quantity.optional() });

export const hardwareSchema = z.strictObject({
  schema: z.literal('meshwright/hardware@1'),
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/, 'lower-case letters, digits, dots and hyphens'),
  title: z.string().min(1),
  defaultDtype: z.enum(MATMUL_DTYPES),
  defaultStack: z.string().min(1),
  chip: z.strictObject({
    memory: z.strictObject({ capacity: quantity, bandwidth: rate, smallTransfers: smallTransfers.optional() }),
    peakVersion: size.optional(),
    matmul: z.strictObject({
      f64: matmul.optional(),
      f32: matmul.optional(),
      bf16: matmul.optional(),
      f16: matmul.optional(),
    }),
    matrixUnit: z.strictObject({
      rows: count,
      columns: count,
      depth: count,
      units: count,
      tiles: tiles.optional(),
      leastRows: count.optional(),
      startDepth: count.optional(),
      exposedWrite: fraction.optional(),
    }),
    collectiveUnits: sourced(z.int().nonnegative()).optional(),
    rateSpread: share.optional(),
    sustainedRate: fraction.optional(),
    vectorRate: quantity,
    opTimes: opTimes.optional(),
    corrections: corrections.optional(),
    fusedAttention: z.partialRecord(z.enum(ATTENTION_KERNELS), fusedAttention).optional(),
  }),
  // Nobody knows those of some chips whose profiles extend another's.
  pricePerChipHour: z.union([z.literal('unknown'), price]).optional(),
  powerPerChip: z.union([z.literal('unknown'), power]).optional(),
  topology: z.discriminatedUnion('kind', [torus, switched, fullyConnected, sharedMemory]),
  host: host.optional(),
});

/** What runs of this software have where nothing else is said. */
const modelDefaults = z.strictObject({
  ...provenance,
  norm: z.enum(['layer', 'rms']).optional(),
  positions: z.enum(['rotary', 'learned']).optional(),
  biases: z.boolean().optional(),
  parallelLayers: z.boolean().optional(),
  jointProjections: z.boolean().optional(),
});

const planDefault = z.strictObject({
  ...provenance,
  /** Options of a plan in their short form: `overlap-gradients=false bucket=25MB`. */
  set: z.string().min(3, 'options of a plan in their short form'),
  /** The plans that it is for; all where absent. */
  where: z
    .strictObject({
      /** Names of hardware profiles. */
      hardware: z.array(z.string()).min(1).optional(),
      compute: z.array(z.enum(MATMUL_DTYPES)).min(1).optional(),
      shard: z
        .array(z.enum(['none', 'optimizer', 'gradients', 'parameters']))
        .min(1)
        .optional(),
      pipeline: z.boolean().optional(),
      /** Of a pipeline: whether its stages have several parts of the model each. */
      interleaved: z.boolean().optional(),
    })
    .optional(),
});

/** Of queries, keys and values, and of what attention leaves of them; of their gradients. */
const copies = z.strictObject({ operands: z.int().nonnegative(), result: z.int().nonnegative() });

const algorithms = z.array(z.enum(ALGORITHMS)).min(1).optional();

export const stackSchema = z.strictObject({
  schema: z.literal('meshwright/stack@1'),
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/, 'lower-case letters, digits, dots and hyphens'),
  title: z.string().min(1),
  elementwise: sourced(z.enum(['none', 'function', 'cluster'])),
  epilogues: sourced(z.enum(['fused', 'bias', 'separate'])),
  accumulation: sourced(z.enum(['fused', 'separate'])).optional(),
  attentionDropout: flag.optional(),
  hiddenDropout: flag.optional(),
  attentionCopies: sourced(
    z.strictObject({ forward: copies, backward: copies, fromSequences: z.int().positive().optional() }),
  ).optional(),
  softmaxMultiple: count.optional(),
  operands: sourced(z.enum(['fused', 'separate'])),
  reductions: sourced(z.enum(['one-pass', 'end-fusion'])),
  attention: sourced(z.enum(['fused', 'unfused'])),
  recomputation: sourced(z.enum(['replayed', 'needed'])).optional(),
  gatheredActivations: sourced(z.enum(['kept', 'gathered-again'])).optional(),
  attentionKernels: sourced(z.array(z.enum(ATTENTION_KERNELS)).min(1)).optional(),
  norms: sourced(z.enum(['fused', 'composed'])).optional(),
  rotary: sourced(z.enum(['fused', 'composed'])).optional(),
  gates: sourced(z.enum(['joint', 'apart'])).optional(),
  gradientSums: sourced(z.enum(['dealt', 'whole'])).optional(),
  gradientPasses: sourced(z.array(z.number().positive()).min(1)).optional(),
  recomputedParts: sourced(z.enum(['layers', 'modules'])).optional(),
  logits: sourced(z.enum(['sharded', 'gathered'])).optional(),
  crossEntropy: sourced(
    z.strictObject({
      forwardBytesPerLogit: z.array(z.number().positive()).min(1),
      backwardBytesPerLogit: z.array(z.number().positive()).min(1),
    }),
  ).optional(),
  kernelLaunchOverhead: quantity,
  opOverhead: quantity,
  hostTimePerOp: quantity,
  hostOverheadPerStep: quantity,
  /** The kernel family whose software it is, where it is this program's own trainer. */
  kernelFamily: sourced(z.string().min(1)).optional(),
  operandOverhead: quantity.optional(),
  operandCopies: quantity.optional(),
  hostOverheadPerRank: quantity.optional(),
  hostTimePerSpan: quantity.optional(),
  hostOverheadPerMicrobatch: quantity.optional(),
  hostOverheadPerAttention: quantity.optional(),
  exchanges: sourced(z.enum(['at-once', 'one-by-one'])).optional(),
  stageTransfers: sourced(z.enum(['whole', 'scattered'])).optional(),
  asynchronous: sourced(z.array(z.enum(COLLECTIVES))),
  collectives: sourced(
    z.strictObject({
      all_gather: algorithms,
      reduce_scatter: algorithms,
      all_reduce: algorithms,
      all_to_all: algorithms,
    }),
  ).optional(),
  reservedMemoryFraction: share,
  reservedMemory: z
    .strictObject({ runtime: quantity, perGroup: quantity, perPeer: quantity, fragmentation: share })
    .optional(),
  vocabularyMultiple: count.optional(),
  model: modelDefaults.optional(),
  plan: z.array(planDefault).optional(),
  uncertainty: sourced(
    z.strictObject({
      p10: z.number().positive(),
      p50: z.number().positive(),
      p90: z.number().positive(),
      /** How many measured runs that is of. */
      runs: size,
      misfit: z.number().nonnegative().optional(),
      repeatability,
      spread: z
        .strictObject({
          own: z.number().nonnegative(),
          directions: z.array(z.record(z.string(), z.number()).readonly()).readonly(),
        })
        .optional(),
    }),
  ).optional(),
});

export type HardwareDocument = z.infer<typeof hardwareSchema>;
export type StackDocument = z.infer<typeof stackSchema>;
export type PlanDefault = z.infer<typeof planDefault>;
export type RateField = z.infer<typeof rate>;
export type MatmulField = z.infer<typeof matmul>;
