/** How many layers each stage of a pipeline gets. */
import { MeshwrightError } from '../../errors.js';

/** What the parts of a model take, in any one unit: seconds, or FLOPs. */
export interface PartCosts {
  /** What comes before the layers. */
  readonly embedding: number;
  /** Of each layer, by its index. */
  readonly layer: (index: number) => number;
  /** What comes after the layers. */
  readonly head: number;
}

/**
 * Layers of each virtual stage so that the longest takes as little as can be, and of all those ways one in which the
 * stages' costs are nearest each other (the least sum of squares). Inner stages have at least one layer; the first and
 * the last, which have the embedding and the head, may have none.
 *
 * @throws MeshwrightError PLAN_DOES_NOT_DIVIDE where there are fewer layers than inner stages
 */
export function balanceLayers(layers: number, stages: number, costs: PartCosts): number[] {
  if (stages === 1) return [layers];
  if (layers < stages - 2) {
    throw new MeshwrightError('PLAN_DOES_NOT_DIVIDE', {
      place: 'plan.mesh.pipe',
      expected: `at most ${layers + 2} stages for ${layers} layers, the first and the last of which may have none`,
      got: String(stages),
    });
  }
  const before = [0];
  for (let layer = 0; layer < layers; layer++) before.push(before[layer]! + costs.layer(layer));
  const cost = (stage: number, from: number, to: number): number =>
    before[to]! - before[from]! + (stage === 0 ? costs.embedding : 0) + (stage === stages - 1 ? costs.head : 0);
  const isInner = (stage: number): boolean => stage > 0 && stage < stages - 1;

  /** The least total over the stages of what `weigh` gives, and each stage's first layer on the way to it. */
  const best = (weigh: (cost: number) => number, join: (a: number, b: number) => number): number[][] => {
    // reached[to]: the least for the stages so far with layers 0 … to; from[stage][to]: where that stage begins.
    let reached = Array.from({ length: layers + 1 }, (_, to) => weigh(cost(0, 0, to)));
    const from: number[][] = [reached.map(() => 0)];
    for (let stage = 1; stage < stages; stage++) {
      const next = new Array<number>(layers + 1).fill(Infinity);
      from.push(new Array<number>(layers + 1).fill(0));
      for (let to = 0; to <= layers; to++) {
        for (let start = 0; start <= to - (isInner(stage) ? 1 : 0); start++) {
          const total = join(reached[start]!, weigh(cost(stage, start, to)));
          if (total < next[to]!) {
            next[to] = total;
            from[stage]![to] = start;
          }
        }
      }
      reached = next;
    }
    return [reached, ...from];
  };
  const [longest] = best((one) => one, Math.max);
  // Sums in another order differ by rounding.
  const most = longest![layers]! * (1 + 1e-12);
  const [, ...from] = best(
    (one) => (one <= most ? one ** 2 : Infinity),
    (a, b) => a + b,
  );
  const counts: number[] = [];
  for (let stage = stages - 1, to = layers; stage >= 0; stage--) {
    const start = from[stage]![to]!;
    counts.unshift(to - start);
    to = start;
  }
  return counts;
}
