/**
 * The candidates of Calculon's search for an optimal execution (calculon-ai/calculon, llm/optimal_execution.py and
 * llm/llm.py), as its README runs it: Turing-530B on 5,128 chips with a batch of at most 2,520 on a100_80g, which has two
 * networks and memory beside the chip's. With `-m` it goes through microbatch sizes only as long as any was good.
 */
export interface Execution {
  readonly tensor: number;
  readonly pipe: number;
  readonly data: number;
  readonly interleaving: number;
  readonly batch: number;
  readonly microbatchSize: number;
  readonly recompute: 'full' | 'attn_only' | 'none';
  readonly optimizerSharding: boolean;
  readonly communication: 'ar' | 'p2p_rs_ag' | 'rs_ag';
  readonly gatherAgain: boolean;
  readonly dataOverlap: boolean;
  readonly tensorOverlap: 'none' | 'ring' | 'pipe';
  readonly weightOffload: boolean;
  readonly activationsOffload: boolean;
  readonly optimizerOffload: boolean;
  /** Which of the system's networks each kind of parallelism uses. */
  readonly networks: readonly [tensor: number, pipe: number, data: number];
}

export interface Calculation {
  readonly hidden: number;
  readonly heads: number;
  readonly blocks: number;
  readonly sequence: number;
  readonly chips: number;
  readonly mostBatch: number;
  readonly networks: number;
}

/** examples of the README: models/turing-530B.json, systems/a100_80g.json. */
export const TURING_530B: Calculation = {
  hidden: 20480,
  heads: 128,
  blocks: 105,
  sequence: 2048,
  chips: 5128,
  mostBatch: 2520,
  networks: 2,
};

/** What Calculon itself says of it with `-m`, recorded. */
export const RECORDED = { executions: 8112, bad: 7032, seconds: 15.5 } as const;

const factors = (value: number): number[] =>
  Array.from({ length: value }, (_, index) => index + 1).filter((one) => value % one === 0);
const both = (free: boolean): boolean[] => (free ? [true, false] : [false]);
const numbersTo = (free: boolean, count: number): number[] =>
  free ? Array.from({ length: count }, (_, index) => index) : [0];

/** In the order in which Calculon goes through them, all microbatch sizes included. */
export function* executions({
  hidden,
  heads,
  blocks,
  sequence,
  chips,
  mostBatch,
  networks,
}: Calculation): Generator<Execution> {
  for (const tensor of factors(chips).filter((one) => hidden % one === 0 && heads % one === 0)) {
    const stages = factors(Math.min(chips / tensor, blocks));
    for (const pipe of stages.filter((one) => chips % (tensor * one) === 0 && blocks % one === 0)) {
      const data = chips / tensor / pipe;
      const batch = Math.floor(mostBatch / data) * data;
      if (batch === 0) continue;
      const sizes = factors(batch / data).filter((size) => (size * sequence) % tensor === 0);
      const nets = numbersTo(tensor > 1, networks).flatMap((tn) =>
        numbersTo(pipe > 1, networks).flatMap((pn) => numbersTo(data > 1, networks).map((dn) => [tn, pn, dn] as const)),
      );
      for (const interleaving of pipe === 1 ? [1] : factors(blocks / pipe))
        for (const recompute of ['full', 'attn_only', 'none'] as const)
          for (const optimizerSharding of both(data > 1))
            for (const communication of ['ar', 'p2p_rs_ag', 'rs_ag'] as const)
              for (const gatherAgain of both(communication === 'rs_ag' && recompute !== 'full'))
                for (const dataOverlap of both(data > 1))
                  for (const tensorOverlap of tensor > 1 ? (['none', 'ring', 'pipe'] as const) : (['none'] as const))
                    for (const weightOffload of both(true))
                      for (const activationsOffload of both(recompute !== 'full'))
                        for (const optimizerOffload of both(true))
                          for (const microbatchSize of sizes)
                            for (const net of nets)
                              yield {
                                tensor,
                                pipe,
                                data,
                                interleaving,
                                batch,
                                microbatchSize,
                                recompute,
                                optimizerSharding,
                                communication,
                                gatherAgain,
                                dataOverlap,
                                tensorOverlap,
                                weightOffload,
                                activationsOffload,
                                optimizerOffload,
                                networks: net,
                              };
    }
  }
}

/** The plan that an execution is here, in its short form, or what of it has no counterpart. */
export function planOf(one: Execution): { readonly plan: string; readonly batch: number } | { readonly lacks: string } {
  if (one.weightOffload) return { lacks: 'weights kept in host memory' };
  if (one.activationsOffload) return { lacks: 'activations kept in host memory' };
  if (one.optimizerOffload) return { lacks: 'optimizer state kept in host memory' };
  if (one.tensorOverlap === 'pipe') return { lacks: 'a linear cut into parts that its collective overlaps' };
  const sequence = one.communication === 'rs_ag';
  // An all-reduced stream neither gathers nor scatters beside a linear, so that there is no ring.
  if (one.tensorOverlap === 'ring' && !sequence) return { lacks: 'a ring beside an all-reduced linear' };
  // Networks are those of the machine: which of them an axis uses follows from where it lies.
  const words = [
    [`pipe=${one.pipe}`, `data=${one.data}`, `model=${one.tensor}`].filter((word) => !word.endsWith('=1')).join(','),
    `microbatches=${one.batch / one.data / one.microbatchSize}`,
    one.interleaving > 1 ? `schedule=interleaved-1f1b virtual-stages=${one.interleaving}` : '',
    one.recompute === 'none' ? '' : `rematerialize=${one.recompute === 'full' ? 'full' : 'selective'}`,
    one.tensor === 1 ? '' : `activations=${sequence ? 'sequence' : 'replicated'}`,
    one.tensorOverlap === 'ring' ? 'linears=ring' : '',
    one.optimizerSharding ? 'shard=optimizer' : '',
    one.dataOverlap ? '' : 'overlap-gradients=false',
  ];
  return { plan: words.filter((word) => word !== '').join(' '), batch: one.batch };
}
