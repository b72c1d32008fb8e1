/**
 * Network cards of nodes or hosts, and what joins them: one switch that never is the bottleneck, or a fat tree of leaf
 * switches under spines. What a leaf has towards the spines is one link each way with the rate of all its cables: flows
 * are taken to spread over them evenly, as adaptive routing does.
 */
import type { Bandwidth, FatTree } from '../../src/hardware/index.js';
import { bytesPerSecond } from '../../src/units.js';
import type { Seconds } from '../../src/units.js';
import type { FabricBuilder } from './fabric-builder.js';

export interface CardNetworkOptions {
  /** What owns cards, for people: `node`, `host`. */
  readonly owner: string;
  readonly chips: number;
  readonly chipsPerOwner: number;
  readonly cardsPerOwner: number;
  readonly cardPerDirection: Bandwidth;
  readonly latency: Seconds;
  readonly fatTree?: FatTree;
}

/** The links of a way from a chip to one of another node or host. */
export type NetworkRoute = (from: number, to: number) => number[];

/** Per leaf switch: its link to the spines, and the one from them. */
interface Uplinks {
  readonly up: readonly number[];
  readonly down: readonly number[];
}

export function addCardNetwork(builder: FabricBuilder, options: CardNetworkOptions): NetworkRoute {
  const { owner, chips, chipsPerOwner, cardsPerOwner, cardPerDirection, latency, fatTree } = options;
  // Cards that one chip has to itself work together as one.
  const cards = Math.min(cardsPerOwner, chipsPerOwner);
  const rate = bytesPerSecond((cardPerDirection.achievable * cardsPerOwner) / cards);
  const owners = Math.ceil(chips / chipsPerOwner);
  const isShared = cards < chipsPerOwner;
  const cardOf = (chip: number): number => {
    const node = Math.floor(chip / chipsPerOwner);
    return node * cards + Math.floor(((chip % chipsPerOwner) * cards) / chipsPerOwner);
  };

  const nodesPerLeaf = fatTree?.nodesPerLeaf ?? owners;
  const rails = fatTree?.rails === true ? cards : 1;
  const leafOf = (card: number): number =>
    Math.floor(Math.floor(card / cards) / nodesPerLeaf) * rails + (rails === 1 ? 0 : card % cards);
  const leaves = Array.from({ length: Math.ceil(owners / nodesPerLeaf) * rails }, () => builder.vertex());

  const out: number[] = [];
  const into: number[] = [];
  const chipLinks: { readonly to: number; readonly from: number }[] = [];
  for (let card = 0; card < owners * cards; card++) {
    const node = Math.floor(card / cards);
    const first = node * chipsPerOwner + Math.ceil(((card % cards) * chipsPerOwner) / cards);
    if (first >= chips) continue;
    const name = `${owner} ${node}${cards > 1 ? ` card ${card % cards}` : ''}`;
    // Two vertices, so that no way leads from chip to chip through a card without the network.
    const [sends, receives] = isShared ? [builder.vertex(), builder.vertex()] : [first, first];
    const leaf = leaves[leafOf(card)]!;
    out[card] = builder.link(`${name} out`, sends, leaf, rate, latency);
    into[card] = builder.link(`${name} in`, leaf, receives, rate);
    if (!isShared) continue;
    for (let chip = first; chip < chips && cardOf(chip) === card; chip++) {
      // Never narrower than the card, which is all that the way to it needs.
      chipLinks[chip] = {
        to: builder.link(`chip ${chip} to card`, chip, sends, rate),
        from: builder.link(`chip ${chip} from card`, receives, chip, rate),
      };
    }
  }
  const uplinks = fatTree === undefined ? undefined : addSpines(builder, leaves, fatTree, (cards / rails) * rate);

  return (from, to) => {
    const [a, b] = [cardOf(from), cardOf(to)];
    const [leafA, leafB] = [leafOf(a), leafOf(b)];
    const way = isShared ? [chipLinks[from]!.to, out[a]!] : [out[a]!];
    if (leafA !== leafB) way.push(uplinks!.up[leafA]!, uplinks!.down[leafB]!);
    way.push(into[b]!);
    if (isShared) way.push(chipLinks[to]!.from);
    return way;
  };
}

/** @param perNode what the cards of one node that are on the leaf can send */
function addSpines(builder: FabricBuilder, leaves: readonly number[], tree: FatTree, perNode: number): Uplinks {
  if (leaves.length < 2) return { up: [], down: [] };
  // A leaf is cabled for all its nodes, also where some are not there.
  const rate = bytesPerSecond((perNode * tree.nodesPerLeaf) / tree.oversubscription);
  const spine = builder.vertex();
  return {
    up: leaves.map((leaf, index) => builder.link(`leaf ${index} up`, leaf, spine, rate)),
    down: leaves.map((leaf, index) => builder.link(`leaf ${index} down`, spine, leaf, rate)),
  };
}
