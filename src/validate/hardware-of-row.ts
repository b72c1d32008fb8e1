/** The machine that a row ran on: its chip's profile, with the nodes and the network that the row states. */
import type { CardNetwork, Hardware, NodeTopology } from '../hardware/index.js';
import { listHardware, loadHardware } from '../hardware/index.js';
import type { BytesPerSecond } from '../units.js';
import { bytesPerSecond } from '../units.js';
import type { Row } from './row.js';
import { Unsupported } from './unsupported.js';

const loaded = new Map<string, Hardware>();

export interface HardwareOfRow {
  readonly hardware: Hardware;
  /** Tells machines apart whose profile is the same. */
  readonly key: string;
}

/** A card less than the chips of a node do not divide, or a multiple of them, is none that a node can have. */
const cardsFor = (cards: number, chips: number): number => (cards % chips === 0 || chips % cards === 0 ? cards : chips);

/** What is reached of a stated rate is the share that the profile's cards reach of theirs. */
function withRate(network: CardNetwork, chipsPerNode: number, perNode: BytesPerSecond | undefined): CardNetwork {
  const cardsPerNode = cardsFor(network.cardsPerNode, chipsPerNode);
  const { peak, achievable } = network.cardPerDirection;
  const whole = perNode ?? bytesPerSecond(peak * network.cardsPerNode);
  const card = bytesPerSecond(whole / cardsPerNode);
  const cardPerDirection = { peak: card, achievable: bytesPerSecond(card * (achievable / peak)) };
  return { ...network, cardsPerNode, cardPerDirection };
}

function withNodes(topology: NodeTopology, chipsPerNode: number, perNode: number | undefined): NodeTopology {
  const { network, ...rest } = topology;
  const rate = perNode === undefined ? undefined : bytesPerSecond(perNode);
  if (chipsPerNode === topology.chipsPerNode && rate === undefined) return topology;
  return {
    ...rest,
    chipsPerNode,
    ...(network === undefined ? {} : { network: withRate(network, chipsPerNode, rate) }),
  };
}

/** @throws Unsupported of a chip without a profile, and of MeshwrightErrors of a profile that is wrong */
export function hardwareOfRow({ hardware: { chip, chipsPerNode, network } }: Row): HardwareOfRow {
  if (!listHardware().includes(chip))
    throw new Unsupported(`no hardware profile of ${chip}; there are ${listHardware().join(', ')}`);
  const perNode = network?.interNodeBytesPerSecondPerNode ?? undefined;
  const key = [chip, chipsPerNode ?? '', perNode ?? ''].join(' ').trim();
  let hardware = loaded.get(key);
  if (hardware === undefined) {
    const profile = loadHardware(chip);
    const { topology } = profile;
    const isNodes = topology.kind === 'switch' || topology.kind === 'fully-connected';
    hardware = isNodes
      ? { ...profile, topology: withNodes(topology, chipsPerNode ?? topology.chipsPerNode, perNode) }
      : profile;
    loaded.set(key, hardware);
  }
  return { hardware, key };
}
