/** Hardware and stack profiles as the rest of the program sees them: resolved numbers with branded units. */
import type { Bytes, BytesPerSecond, DollarsPerHour, FlopsPerSecond, Seconds, Watts } from '../units.js';
import type {
  AlgorithmName,
  AttentionKernel,
  CollectiveKind,
  MatmulDType,
  MatmulForm,
  WorkKind,
  WraparoundRule,
} from './names.js';
import type { HardwareDocument, StackDocument } from './schema.js';

/** A bandwidth: what the datasheet says, and what people reach. */
export interface Bandwidth {
  readonly peak: BytesPerSecond;
  readonly achievable: BytesPerSecond;
}

/** A measured matmul: `batch` products of [m,k] by [k,n], and the rate it ran at (its own FLOPs, no padding). */
export interface MatmulPoint {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Where rates differ by it; a form that no point has is interpolated among all of them. */
  readonly form?: MatmulForm | undefined;
  readonly rate: FlopsPerSecond;
}

/** What an op that is no matmul takes inside a kernel, its own start included, the kernel's launch not. */
export interface OpTime {
  readonly op: string;
  /** What it reads and writes. */
  readonly bytes: Bytes;
  /** The length of its rows: of the last dimension of what it reads first. */
  readonly row?: number | undefined;
  readonly seconds: Seconds;
}

export interface MatmulRate {
  /** What MFU is a fraction of. */
  readonly peak: FlopsPerSecond;
  /** Reached on large matmuls that fill the matrix units. */
  readonly achievable: FlopsPerSecond;
  /** Where there are any, the rate of a shape is interpolated from these instead. */
  readonly points: readonly MatmulPoint[];
}

/** A tile that a matmul's result may be cut into, and how fast it is: relative to the fastest, at most 1. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly efficiency: number;
}

/**
 * How a matmul's shape is rounded up: each of m, n, k to whole tiles of `rows`, `columns`, `depth`, and the number of
 * output tiles to whole waves over `units` that work at the same time.
 */
export interface MatrixUnit {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly units: number;
  /** Tiles of which the best is taken for each shape; without them there is one, of `rows` and `columns`. */
  readonly tiles?: readonly Tile[];
  /**
   * Of a systolic array that holds a part of one factor and streams the rows of the other: loading the next part takes as
   * long as streaming so many rows, so fewer are no faster.
   */
  readonly leastRows?: number;
  /** What a tile's start and end take, as the inner dimension that would be multiplied meanwhile. */
  readonly startDepth?: number;
  /** Of the time that a product takes to be written, the share in which the units don't multiply; none if absent. */
  readonly exposedWrite?: number;
}

/** One kernel for all of attention. */
export interface FusedAttention {
  /** Fractions of the peak that its matmuls run at between softmaxes. */
  readonly forward: number;
  readonly backward: number;
  /** What a score's softmax takes, as the head width that would be multiplied meanwhile. */
  readonly softmaxWidth: number;
  /** What a block of queries takes to begin and to end, as the number of keys that would be met meanwhile. */
  readonly startLength: number;
  /** Heads are filled up with zeros to a multiple of it. */
  readonly headWidthMultiple: number;
}

export interface Chip {
  readonly memoryCapacity: Bytes;
  readonly memoryBandwidth: Bandwidth;
  /** Shares of the peak that kernels reach which move less than `below`; all reach what is achievable where absent. */
  readonly smallTransfers?: readonly { readonly below: Bytes; readonly share: number }[];
  readonly matmul: Readonly<Partial<Record<MatmulDType, MatmulRate>>>;
  readonly matrixUnit: MatrixUnit;
  /** How many of the matrix unit's `units` a collective takes while it runs; 0 where copy engines do all of it. */
  readonly collectiveUnits: number;
  /**
   * The standard deviation of the matrix units' rates from chip to chip, of the mean, where power limits set clocks; 0
   * where all run alike.
   */
  readonly rateSpread: number;
  /**
   * Of what matmuls reach in a benchmark that is soon over, what they reach in hours of training, when the power limit has
   * lowered clocks; 1 where that changes nothing.
   */
  readonly sustainedRate: number;
  /** Arithmetic outside the matrix unit. */
  readonly vectorRate: FlopsPerSecond;
  /**
   * Times of ops as they were measured, interpolated by bytes between sizes of one row length and then between row
   * lengths. Ops that it has not are memory-bound or arithmetic-bound at the rates above.
   */
  readonly opTimes?: readonly OpTime[];
  /** What kinds of work take over what all other numbers say; 1 where absent. */
  readonly corrections?: Readonly<Partial<Record<WorkKind, number>>>;
  /** By kernel, the stack's default first; without it, a fused attention takes what its matmuls would one by one. */
  readonly fusedAttention?: Readonly<Partial<Record<AttentionKernel, FusedAttention>>>;
  /** Present where `peak` is a first measurement and not a datasheet's: which one MFU is relative to. */
  readonly peakVersion?: number;
}

/** Slices joined by the network between hosts, each of which has one card for all its chips. */
export interface DataCenterNetwork {
  readonly chipsPerHost: number;
  readonly hostPerDirection: Bandwidth;
  /** Of a message from a chip of one slice to one of another. */
  readonly latency: Seconds;
  readonly mostSlices: number;
}

export interface Wraparound {
  /**
   * `every-axis`: all dimensions wrap if each is a multiple of `multiple`. `per-axis`: each decides for itself. `none`:
   * all are lines. `listed`: those of `dimensions`, whatever their length.
   */
  readonly rule: WraparoundRule;
  /** 1 where the rule needs none. */
  readonly multiple: number;
  /** Of `listed` alone. */
  readonly dimensions?: readonly boolean[];
}

export interface TorusTopology {
  readonly kind: 'torus';
  readonly dimensions: number;
  /** Largest length of each dimension, in any order; in this order where wraparound is `listed`. */
  readonly largestSlice: readonly number[];
  /** Of one link, one way. A chip has two links a dimension. */
  readonly linkPerDirection: Bandwidth;
  readonly hopLatency: Seconds;
  readonly wraparound: Wraparound;
  /** Of the bandwidth of all the links it uses, what a collective over several dimensions at once gets. */
  readonly multiAxisShare: number;
  /** Whether slices of lengths k and 2k may be had twisted. */
  readonly canTwist: boolean;
  readonly dataCenterNetwork?: DataCenterNetwork;
}

/** Leaf switches and, above them, spines. */
export interface FatTree {
  readonly nodesPerLeaf: number;
  /** Whether the cards of one number have leaves of their own, instead of all cards of a node sharing one. */
  readonly rails: boolean;
  /** What all cards of a leaf can send over what its links to the spines can. */
  readonly oversubscription: number;
}

/** Between nodes. */
export interface CardNetwork {
  /** Chips share a card where there are fewer; a chip uses its cards together where there are more. */
  readonly cardsPerNode: number;
  readonly cardPerDirection: Bandwidth;
  /** Of a message from a chip of one node to one of another. */
  readonly latency: Seconds;
  /** Whether its switches add up what passes through (InfiniBand SHARP). */
  readonly reducesInSwitch: boolean;
  /** Without one, all cards are on one switch that never is the bottleneck. */
  readonly fatTree?: FatTree;
}

export interface NodeTopology {
  /** `switch`: any two chips of a node reach each other at full rate. `fully-connected`: each pair has its own link. */
  readonly kind: 'switch' | 'fully-connected';
  readonly chipsPerNode: number;
  /** All that a chip can send to others of its node, one way. */
  readonly nodePerChipPerDirection: Bandwidth;
  readonly nodeLatency: Seconds;
  /**
   * What a chip sends to one other of its node with a single message, one way, in a job of several nodes: NCCL gives a pair
   * of chips few of its channels there. As much as to all others where absent.
   */
  readonly pairPerDirection?: BytesPerSecond;
  /**
   * What a collective or a transfer takes before it moves anything: its kernel's launch, and until the chips that take part
   * have found each other.
   */
  readonly collectiveStart: Seconds;
  /** Whether the node's switch adds up what passes through (NVLink SHARP). */
  readonly reducesInSwitch: boolean;
  /** Absent where there is one node alone. */
  readonly network?: CardNetwork;
}

/** One machine whose chips are threads: they exchange by copying, and more of them than cores take turns. */
export interface SharedMemoryTopology {
  readonly kind: 'shared-memory';
  readonly cores: number;
  /** The share of its rate that a core keeps when all cores are busy (clocks, caches and memory are shared). */
  readonly busyCoreRateFraction: number;
  readonly transferPerChip: Bandwidth;
  readonly messageLatency: Seconds;
  /** What all cores together can read and write. */
  readonly hostMemory: Bandwidth;
  /** What a collective takes before it moves anything. */
  readonly collectiveStart: Seconds;
  /**
   * How much longer work takes with so many ranks than with one: of a kind of work, or of all that nothing else is said
   * of. In place of `busyCoreRateFraction`, of taking turns on cores and of the host's memory where there are any.
   */
  readonly contention?: readonly Contention[];
  /** Between the ranks of a machine with so many of them: in place of `transferPerChip` and `messageLatency`. */
  readonly transfers?: readonly RankTransfers[];
  /** What ranks that should come to a collective together wait for the last of them; nothing where absent. */
  readonly waits?: readonly RankWaits[];
  /** How many times as long as its bytes should a collective has a rank's thread; 1 where absent. */
  readonly transferEfforts?: Readonly<Partial<Record<CollectiveKind, number>>>;
}

export interface Contention {
  readonly ranks: number;
  readonly work?: WorkKind | undefined;
  readonly factor: number;
}

export interface RankTransfers {
  readonly ranks: number;
  /** What a rank sends while it receives as much. */
  readonly bandwidth: BytesPerSecond;
  /** Of a message, from its sending to when the rank that waits for it goes on. */
  readonly latency: Seconds;
}

/**
 * Of all ranks of a machine, on the average over them: start + √(walk · computed), of what each computed since they met
 * last.
 */
export interface RankWaits {
  readonly ranks: number;
  readonly start: Seconds;
  readonly walk: Seconds;
}

/** What an hour of a chip costs where it can be had on demand, its share of the host included. */
export interface Price {
  readonly perChipHour: DollarsPerHour;
  readonly region: string;
  /** A day or a month: `2026-11-09`. */
  readonly date: string;
}

/** What a chip draws: itself with its memory, without its share of the host, of the network and of cooling. */
export interface Power {
  readonly limit: Watts;
  /** On the average in training, where somebody measured it. */
  readonly training?: Watts;
}

/** The machine that chips are attached to, with memory that they may use. */
export interface Host {
  readonly chips: number;
  readonly memoryCapacity: Bytes;
  /** What is read and written, by its processors and by all links; no bottleneck where absent. */
  readonly memoryBandwidth?: Bandwidth;
  /** Between a chip and the host, one way. */
  readonly linkPerDirection: Bandwidth;
  readonly linkLatency: Seconds;
}

export type Topology = TorusTopology | NodeTopology | SharedMemoryTopology;

export interface Hardware {
  readonly name: string;
  readonly title: string;
  readonly chip: Chip;
  readonly topology: Topology;
  /** Absent where chips have no other memory than their own, or nobody says. */
  readonly host?: Host;
  /** What a job computes in unless it says otherwise. */
  readonly defaultDtype: MatmulDType;
  readonly defaultStack: string;
  readonly price?: Price;
  readonly power?: Power;
  /** The profile as written, with the source and status of every number. */
  readonly document: HardwareDocument;
}

export type OfferedAlgorithms = Readonly<
  Partial<Record<'all_gather' | 'reduce_scatter' | 'all_reduce' | 'all_to_all', readonly AlgorithmName[] | undefined>>
>;

/** Memory of a chip that a process has beside its tensors. */
export interface ReservedMemory {
  /** The driver's context, code and workspaces. */
  readonly runtime: Bytes;
  /** Buffers of the communication library for each group of chips: one along every mesh axis, and all of them. */
  readonly perGroup: Bytes;
  /** Those for each stage of a pipeline that it exchanges with. */
  readonly perPeer: Bytes;
  /** What the allocator holds and cannot use, as a share of the activations. */
  readonly fragmentation: number;
}

/** Bytes that each pass reads and writes for each logit. */
export interface CrossEntropyPasses {
  readonly forwardBytesPerLogit: readonly number[];
  readonly backwardBytesPerLogit: readonly number[];
}

/** What software does with a chip. The same for every model and every number of chips. */
/** Of queries, keys and values (`operands`) and of what attention leaves (`result`). */
interface Copies {
  readonly operands: number;
  readonly result: number;
}

export interface AttentionCopies {
  readonly forward: Copies;
  /** Of their gradients. */
  readonly backward: Copies;
  /** Sequences of a chip's microbatch from which on they are made: of one alone, other layouts are the same memory. */
  readonly fromSequences: number;
}

export interface Stack {
  readonly name: string;
  readonly title: string;
  /**
   * `none`: every op reads and writes memory. `function`: what frameworks have as one function, as a norm or its gradient
   * with the casts around it, runs as one, and what only gives another shape to memory not at all. `cluster`: neighbouring
   * ops that are no matmuls run as one.
   */
  readonly elementwise: 'none' | 'function' | 'cluster';
  /**
   * `fused`: a matmul does what comes next to each element of its result before it is written, and sums over them. `bias`:
   * it adds a bias alone.
   */
  readonly epilogues: 'fused' | 'bias' | 'separate';
  /**
   * `fused`: a matmul adds the gradient that it makes to the running sum over microbatches, in the sum's type, as it writes
   * it, whatever `epilogues` says of other ops.
   */
  readonly accumulation: 'fused' | 'separate';
  /** Whether unfused attention drops out scores, in a kernel of its own forward and backward, with a mask of bytes. */
  readonly attentionDropout: boolean;
  /**
   * Whether what attention and the MLP leave is dropped out before it comes back into the stream, in the kernel that adds
   * it: a mask of bytes is kept, and its gradient is a pass of its own.
   */
  readonly hiddenDropout: boolean;
  /** Copies into the layout that a fused attention wants, and back; none where absent. */
  readonly attentionCopies?: AttentionCopies;
  /**
   * Heads times sequences that its one kernel for scaling, masking and softmax wants a multiple of; others go op by op, in
   * f32.
   */
  readonly softmaxMultiple: number;
  /** `fused`: what is cheap to compute is computed where it is read, by matmuls too, if that moves fewer bytes. */
  readonly operands: 'fused' | 'separate';
  /**
   * `end-fusion`: what needs a sum over a row (or over rows) comes after it, and reads what it needs of the row again: a
   * softmax after the maxima, what normalizes after the moments. `one-pass`: a kernel keeps its rows on the chip until it
   * is done with them.
   */
  readonly reductions: 'one-pass' | 'end-fusion';
  /**
   * `fused`: where nobody else reads the scores and their softmax, one kernel computes both and the product with the
   * values, and scores never reach memory. The kernel of the backward pass makes them again by itself (Dao et al. 2022),
   * so that they aren't kept either, whatever the plan's `rematerialize` says.
   */
  readonly attention: 'fused' | 'unfused';
  /** The kernels it may have for a fused attention, the first that the chip has rates of is used; any if absent. */
  readonly attentionKernels?: readonly AttentionKernel[];
  /**
   * A layer that keeps nothing but its input: whether the backward pass runs all of it again, or what it needs; `needed`
   * unless the profile says so.
   */
  readonly recomputation: 'replayed' | 'needed';
  /**
   * Activations that are sharded over tokens and gathered for a linear: whether the backward pass gathers them again, or
   * what was gathered is `kept`; `gathered-again` unless the profile says so.
   */
  readonly gatheredActivations: 'kept' | 'gathered-again';
  /**
   * `composed`: RMS norms are written with elementary ops, each a pass over memory, on copies in f32 that are kept for
   * the backward pass; `fused` unless the profile says so.
   */
  readonly norms: 'fused' | 'composed';
  /** `composed`: a rotary embedding is written with elementary ops, each a pass over memory; `fused` unless the profile says so. */
  readonly rotary: 'fused' | 'composed';
  /**
   * A gated MLP's gate and up projection: one matmul, or a linear each (`apart`), each of which completes the gradient of
   * its input by itself where that is replicated over `model`; `joint` unless the profile says so.
   */
  readonly gates: 'joint' | 'apart';
  /**
   * Where chips keep parts of the optimizer: whether gradients are reduce-scattered (`dealt`), or summed `whole` on every
   * chip, which then takes its part; `dealt` unless the profile says so.
   */
  readonly gradientSums: 'dealt' | 'whole';
  /** What passes over a gradient that is summed in a wider type read and write besides its casts, bytes an element each. */
  readonly gradientPasses?: readonly number[];
  /**
   * Where a layer keeps nothing but its input: whether only `layers` do, or all `modules` of the model, its embedding and
   * its head too; `layers` unless the profile says so.
   */
  readonly recomputedParts: 'layers' | 'modules';
  /**
   * Of a vocabulary that is sharded over `model`: whether chips exchange sums over the classes that each has, or gather
   * all logits; `sharded` unless the profile says so.
   */
  readonly logits: 'sharded' | 'gathered';
  /**
   * What the cross-entropy over a vocabulary reads and writes where it is written as passes over all logits, pass by pass,
   * each a launch; as few bytes as its operands and results have, in one, where absent.
   */
  readonly crossEntropy?: CrossEntropyPasses;
  /** Each kernel's launch, as far as it isn't hidden behind the kernel before. */
  readonly kernelLaunchOverhead: Seconds;
  /** Each op (or cluster) inside a kernel. */
  readonly opOverhead: Seconds;
  /**
   * What a host that launches ops one by one needs for each. It runs ahead of the chip, which waits where the host is
   * slower than its kernels.
   */
  readonly hostTimePerOp: Seconds;
  /** The kernel family whose software it is; absent where it is not this program's own trainer. */
  readonly kernelFamily?: string;
  /** Of a kernel's launch, what each tensor takes that goes in or comes out. */
  readonly operandOverhead: Seconds;
  /**
   * The rate at which operands are copied into the library's own memory before a kernel, and results out of it after it;
   * absent where they are used where they lie.
   */
  readonly operandCopies?: BytesPerSecond;
  /** Once a step. */
  readonly hostOverheadPerStep: Seconds;
  /** Once a step for each rank beyond the first: a thread hands all of them their work. */
  readonly hostOverheadPerRank: Seconds;
  /** Between the end of a kernel or a collective and the start of the next one, on a rank's own thread. */
  readonly hostTimePerSpan: Seconds;
  /**
   * Before the forward pass of each microbatch, once the chip has done all that was launched before: a host that looks at
   * what is on the chip can't run ahead of it.
   */
  readonly hostOverheadPerMicrobatch: Seconds;
  /** The same before each forward kernel of a fused attention, which is launched after the host has looked at its input. */
  readonly hostOverheadPerAttention: Seconds;
  /**
   * The collectives that run beside kernels, where the program says that they may; others are waited for when they are
   * issued.
   */
  readonly asynchronous: readonly CollectiveKind[];
  /**
   * Where a pipeline's transfers aren't overlapped with computing: whether a stage sends and receives `at-once`, so that
   * what it gets comes while it sends, or `one-by-one`, so that each transfer keeps both stages by itself; `at-once` unless
   * the profile says so.
   */
  readonly exchanges: 'at-once' | 'one-by-one';
  /**
   * Of what a pipeline's stages send each other and all chips along `model` have: each sends the `whole` of it to the one
   * of its coordinates, or a part (`scattered`), which the others gather from it (Narayanan et al. 2021, §4.1); `whole`
   * unless the profile says so.
   */
  readonly stageTransfers: 'whole' | 'scattered';
  /** The algorithms that its communication library has for a collective; all there are where absent. */
  readonly collectives?: OfferedAlgorithms;
  /** The share of a chip's memory that the runtime keeps for itself. */
  readonly reservedMemoryFraction: number;
  /** What it keeps besides, as far as that is known. */
  readonly reservedMemory?: ReservedMemory;
  /** Vocabularies are filled up to a multiple of this on each chip of the axis `model`; 1 where they are only divided. */
  readonly vocabularyMultiple: number;
  /** How far predictions with it were off; absent where no run of it is known. */
  readonly uncertainty?: Uncertainty;
  readonly document: StackDocument;
}

/** Quantiles of measured over predicted step time. */
export interface Uncertainty {
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
  /** How many measured runs that is of. */
  readonly runs: number;
  /** Mean square of how far off they were over what a fit expected of each. */
  readonly misfit?: number | undefined;
  /** How well the machine repeats a step: half of the width from p10 to p90 of runs of one plan, relative. */
  readonly repeatability?: number | undefined;
  /** Of a job its own quantiles follow from it; those above are of one like those that were measured. */
  readonly spread?: Spread | undefined;
  readonly source: string;
}

/** By how much a step may differ from what is predicted, as logarithms at the 90th percentile; squares add up. */
export interface Spread {
  /** Beside what the profile's numbers may be wrong by. */
  readonly own: number;
  /**
   * What numbers of the profile may be wrong by together, each direction for itself: by the name that calibration gives
   * them, the logarithm of their time over what the profile says.
   */
  readonly directions: readonly Readonly<Record<string, number>>[];
}
